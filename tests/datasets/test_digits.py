import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.datasets import load_digits

from sklearn_alpha.datasets import load_digits_transfer


@pytest.mark.parametrize(("source", "target"), [((6, 8), (5, 9)), ([9, 0], np.array([3, 1]))])
def test_rows_and_labels(source, target):
    transfer = load_digits_transfer(source, target)
    digits = load_digits()
    for name, pair in (("source", source), ("target", target)):
        X, y = transfer[f"X_{name}"], transfer[f"y_{name}"]
        rows = np.flatnonzero((digits.target == pair[0]) | (digits.target == pair[1]))
        assert_array_equal(X, digits.data[rows])
        assert_array_equal(np.asarray(pair)[y], digits.target[rows])
        assert transfer[f"{name}_digits"] == tuple(pair)
        assert all(type(digit) is int for digit in transfer[f"{name}_digits"])


def test_default_and_description():
    transfer = load_digits_transfer()
    assert transfer.source_digits == (6, 8)
    assert transfer.target_digits == (5, 9)
    assert "6 (class 0) against 8 (class 1)" in transfer.DESCR
    assert len(transfer.feature_names) == 64


def test_order_within_a_pair_sets_the_classes():
    one, other = load_digits_transfer((6, 8)), load_digits_transfer((8, 6))
    assert_array_equal(one.X_source, other.X_source)
    assert_array_equal(one.y_source, 1 - other.y_source)


@pytest.mark.parametrize(
    ("source", "target"), [((6, 8), (8, 9)), ((6, 8), (8, 6)), ((6, 6), (5, 9)), ((1, 2), (3, 3))]
)
def test_no_digit_twice(source, target):
    with pytest.raises(ValueError, match="No digit may occur twice"):
        load_digits_transfer(source, target)


@pytest.mark.parametrize(
    "pair", [(6, 10), (-1, 3), (6,), (1, 2, 3), (), "68", 6, None, (6.0, 8.0), (True, 3), (6, None)]
)
def test_not_a_pair_of_digits(pair):
    with pytest.raises(ValueError, match="'source' must be two digits"):
        load_digits_transfer(source=pair)
    with pytest.raises(ValueError, match="'target' must be two digits"):
        load_digits_transfer(target=pair)
