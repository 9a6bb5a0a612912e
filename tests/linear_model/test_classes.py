"""Which classes are told apart: those of the rows, of the sources, or those that are named."""

import re

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.linear_model import LogisticRegression

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.linear_model._rules import RULES
from tests.linear_model.helpers import selected

NAMES = np.array(["ant", "bee", "cat", "dog"])


@pytest.fixture
def task():
    """Four classes by name: rows of a source, and rows of a target that shows three of them."""
    rng = np.random.default_rng(0)
    means = 2 * rng.normal(size=(4, 6))

    def rows(labels):
        return means[labels] + rng.normal(size=(len(labels), 6)), NAMES[labels]

    X_source, y_source = rows(np.arange(120) % 4)
    X, y = rows(np.arange(20) % 3)
    X_test, y_test = rows(np.arange(200) % 4)
    source = LogisticRegression().fit(X_source, y_source)
    names = ("X_source", "y_source", "X", "y", "X_test", "y_test", "source")
    values = (X_source, y_source, X, y, X_test, y_test, source)
    return pd.Series(dict(zip(names, values, strict=True)))


def test_classes_of_the_source_are_kept(task):
    model = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    assert_array_equal(model.classes_, NAMES)
    P = model.predict_proba(task.X_test)
    assert P.shape == (200, 4)
    assert_allclose(P.sum(axis=1), 1)
    # rows of the class that was not shown are still found
    unseen = task.y_test == "dog"
    assert np.mean(model.predict(task.X_test)[unseen] == "dog") > 0.9
    assert (
        model.score(task.X_test, task.y_test) >= task.source.score(task.X_test, task.y_test) - 0.01
    )


def test_a_class_without_rows_keeps_the_direction_of_its_source_row(task):
    """Where the source explains all rows, what they add is small beside α times its row."""
    model = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    dog = task.source.coef_[3] - task.source.coef_.mean(axis=0)
    assert_allclose(model.source_coef_[3, 0], dog)
    cosine = model.coef_[3] @ dog / np.linalg.norm(model.coef_[3]) / np.linalg.norm(dog)
    assert cosine > 0.95


def test_target_keeps_to_the_classes_of_the_rows(task):
    model = AlphaTransferClassifier(task.source, classes="target").fit(task.X, task.y)
    assert_array_equal(model.classes_, NAMES[:3])
    kept = task.source.coef_[:3] - task.source.coef_[:3].mean(axis=0)
    assert_allclose(model.source_coef_[:, 0], kept)


@pytest.mark.parametrize("selection", sorted(set(RULES) - {"anchored", "theory"}))
def test_other_selections_keep_to_the_classes_of_the_rows(selection, task):
    model = AlphaTransferClassifier(task.source, **selected(selection, 2)).fit(task.X, task.y)
    assert_array_equal(model.classes_, NAMES[:3])


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2], [0, 0, 1, 2, 3]])
@pytest.mark.parametrize("container", [list, np.array, pd.Series])
def test_an_array_names_the_classes_in_any_order(order, container, task):
    model = AlphaTransferClassifier(task.source, classes=container(NAMES[order]))
    default = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    model.fit(task.X, task.y)
    assert_array_equal(model.classes_, NAMES)
    assert_allclose(model.coef_, default.coef_)


# of the class that neither the source nor the rows know
@pytest.mark.filterwarnings("ignore:source never saw")
def test_an_array_may_name_a_class_that_nobody_knows(task):
    names = [*NAMES, "emu"]
    model = AlphaTransferClassifier(task.source, classes=names).fit(task.X, task.y)
    assert_array_equal(model.classes_, names)
    assert not model.source_coef_[4].any()
    assert np.isfinite(model.predict_proba(task.X_test)).all()


@pytest.mark.parametrize("fitted", [False, True])
def test_labels_that_are_not_named_are_an_error(fitted, task):
    model = AlphaTransferClassifier(task.source, classes=["ant", "bee"])
    if fitted:
        keep = task.y != "cat"
        model.fit(task.X[keep], task.y[keep])
    before = dict(vars(model))
    with pytest.raises(ValueError, match=re.escape("y has the labels ['cat']")):
        model.fit(task.X, task.y)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is before[name] for name in before)


def test_other_text_than_target_is_an_error(task):
    with pytest.raises(ValueError, match="'classes' parameter"):
        AlphaTransferClassifier(task.source, classes="source").fit(task.X, task.y)


def test_names_that_no_source_shares_are_an_error(task):
    with pytest.raises(ValueError, match="none of the target's"):
        AlphaTransferClassifier(task.source).fit(task.X, np.char.upper(task.y))


def test_an_array_without_names_follows_the_classes_that_are_named(task):
    source = (task.source.coef_, task.source.intercept_)
    model = AlphaTransferClassifier(source, classes=NAMES).fit(task.X, task.y)
    named = AlphaTransferClassifier((*source, NAMES)).fit(task.X, task.y)
    assert_array_equal(named.classes_, NAMES)
    assert_allclose(model.coef_, named.coef_)
    with pytest.raises(ValueError, match=r"4 row\(s\) of coefficients but the target needs 3"):
        AlphaTransferClassifier(source).fit(task.X, task.y)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 1, 0, 2]])
def test_a_triple_is_aligned_by_label(order, task):
    W, b = task.source.coef_[order], task.source.intercept_[order]
    model = AlphaTransferClassifier((W, b, NAMES[order])).fit(task.X, task.y)
    expected = task.source.coef_ - task.source.coef_.mean(axis=0)
    assert_allclose(model.source_coef_[:, 0], expected)


@pytest.mark.parametrize("names", [["ant"], ["ant", "bee", "cat"], [list("ab"), list("cd")]])
def test_a_triple_of_other_shapes_is_an_error(names, task):
    source = (task.source.coef_, task.source.intercept_, names)
    with pytest.raises(ValueError, match=r"^source "):
        AlphaTransferClassifier(source).fit(task.X, task.y)


# ---------------------------------------------------------------- sources of two classes


@pytest.fixture
def two(task):
    """A source of two classes."""
    keep = np.isin(task.y_source, NAMES[:2])
    return LogisticRegression().fit(task.X_source[keep], task.y_source[keep])


def test_a_third_class_beside_a_source_of_two(two, task):
    model = AlphaTransferClassifier(two)
    with pytest.warns(UserWarning, match=re.escape("never saw the classes ['cat']")):
        model.fit(task.X, task.y)
    assert_array_equal(model.classes_, NAMES[:3])
    assert_allclose(model.source_coef_[:2, 0], [-two.coef_[0] / 2, two.coef_[0] / 2])
    assert not model.source_coef_[2].any()
    shown = np.isin(task.y_test, NAMES[:3])
    assert model.score(task.X_test[shown], task.y_test[shown]) > 0.8


def test_a_head_of_two_rows_is_the_difference_of_them(two, task):
    """A softmax over two classes."""
    keep = np.isin(task.y, NAMES[:2])
    X, y = task.X[keep], task.y[keep]
    rng = np.random.default_rng(0)
    shared = rng.normal(size=6)
    W, b = np.vstack([shared, shared + two.coef_[0]]), np.append(0.5, 0.5 + two.intercept_)
    one = AlphaTransferClassifier((two.coef_, two.intercept_)).fit(X, y)
    head = AlphaTransferClassifier((W, b)).fit(X, y)
    assert_allclose(head.source_coef_, one.source_coef_)
    assert_allclose(head.predict_proba(X), one.predict_proba(X))
    named = AlphaTransferClassifier((W, b, NAMES[:2])).fit(X, y)
    assert_allclose(named.predict_proba(X), one.predict_proba(X))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("bias", [True, False])
def test_a_linear_layer_of_torch_is_a_source_of_log_odds(n_classes, bias, task):
    torch = pytest.importorskip("torch")
    keep = np.isin(task.y, NAMES[:n_classes])
    X, y = task.X[keep], task.y[keep]
    torch.manual_seed(0)
    layer = torch.nn.Linear(6, n_classes, bias=bias).double()
    known = torch.from_numpy(task.source.coef_[:n_classes])
    layer.weight = torch.nn.Parameter(known + layer.weight.detach())
    model = AlphaTransferClassifier(layer).fit(X, y)
    W = layer.weight.detach().numpy()
    expected = W[1:] - W[:1] if n_classes == 2 else W - W.mean(axis=0)
    assert_allclose(model.source_coef_[:, 0], expected)
    fitted = LogisticRegression().fit(X, y)
    fitted.coef_ = expected
    b = layer.bias.detach().numpy() if bias else np.zeros(n_classes)
    fitted.intercept_ = b[1:] - b[:1] if n_classes == 2 else b
    assert_allclose(
        model.predict_proba(X), AlphaTransferClassifier(fitted).fit(X, y).predict_proba(X)
    )


# ---------------------------------------------------------------- labels and weights of all kinds


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: y.astype(object),
        lambda y: pd.Series(y),
        lambda y: pd.Series(y, dtype="category"),
        list,
    ],
    ids=["object", "series", "category", "list"],
)
def test_labels_of_every_container(convert, task):
    expected = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    model = AlphaTransferClassifier(task.source).fit(pd.DataFrame(task.X), convert(task.y))
    assert_array_equal(model.classes_, NAMES)
    assert_allclose(model.coef_, expected.coef_)


def test_labels_that_are_numbers(task):
    y_source, y = (np.searchsorted(NAMES, labels) for labels in (task.y_source, task.y))
    source = LogisticRegression().fit(task.X_source, y_source)
    model = AlphaTransferClassifier(source).fit(task.X, y.astype(float))
    assert_array_equal(model.classes_, [0, 1, 2, 3])
    named = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    assert_allclose(model.coef_, named.coef_)


def test_balanced_weights_are_those_of_the_classes_that_are_shown(task):
    shown, counts = np.unique(task.y, return_counts=True)
    weights = len(task.y) / (len(shown) * counts)

    def fit(class_weight, sample_weight=None):
        model = AlphaTransferClassifier(task.source, class_weight=class_weight, store_loo=True)
        return model.fit(task.X, task.y, sample_weight=sample_weight)

    def assert_same(one, other):
        for name in ("coef_", "intercept_", "alpha_", "loo_decision_function_"):
            assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-8, atol=1e-10)
        assert_allclose(one.inverse_temperature_, other.inverse_temperature_, rtol=1e-8)
        assert_allclose(one.path_.posterior, other.path_.posterior, rtol=1e-8)

    balanced = fit("balanced")
    assert_array_equal(balanced.classes_, NAMES)
    assert_same(balanced, fit(dict(zip(shown, weights, strict=True))))
    # weights of at most one are those of rows, of which the whole is left out in both
    small = dict(zip(shown, weights / weights.max(), strict=True))
    assert_same(fit(small), fit(None, [small[label] for label in task.y]))


def test_a_weight_for_a_class_without_rows(task):
    plain = AlphaTransferClassifier(task.source).fit(task.X, task.y)
    model = AlphaTransferClassifier(task.source, class_weight={"dog": 7.0}).fit(task.X, task.y)
    assert_allclose(model.coef_, plain.coef_)


def test_a_class_of_weight_zero_is_one_without_rows(task):
    cats = task.y == "cat"
    model = AlphaTransferClassifier(task.source, store_loo=True)
    model.fit(task.X, task.y, sample_weight=np.where(cats, 0.0, 1.0))
    absent = AlphaTransferClassifier(task.source).fit(task.X[~cats], task.y[~cats])
    assert_array_equal(model.classes_, NAMES)
    assert_allclose(model.coef_, absent.coef_, atol=1e-12)
    assert_allclose(model.predict_proba(task.X), absent.predict_proba(task.X))
    assert model.loo_decision_function_.shape == (20, 4)


# of the class that one of the two does not know
@pytest.mark.filterwarnings("ignore:source.* never saw")
def test_sources_of_different_classes_are_joined(two, task):
    keep = np.isin(task.y_source, NAMES[2:])
    other = LogisticRegression().fit(task.X_source[keep], task.y_source[keep])
    model = AlphaTransferClassifier([two, other]).fit(task.X, task.y)
    assert_array_equal(model.classes_, NAMES)
    assert not model.source_coef_[2:, 0].any()
    assert not model.source_coef_[:2, 1].any()


# ---------------------------------------------------------------- −1 for "no label"


@pytest.mark.parametrize("selection", ["anchored", "evidence"])
@pytest.mark.parametrize("classes", [None, "target"])
@pytest.mark.parametrize(
    ("labels", "others"),
    [([-1, 0, 1], "0, 1"), ([-1, 2, 5, 7], "2, 5, 7"), ([-1.0, 0.0, 1.0], "0")],
)
def test_minus_one_looks_like_a_mask(labels, others, classes, selection, problem):
    task = problem("classes", n=30)
    y = np.array(labels)[np.arange(30) % len(labels)]
    model = AlphaTransferClassifier(classes=classes, selection=selection)
    message = rf"label -1 beside \[{others}.*mask.*leave these rows out.*parameter classes"
    with pytest.warns(UserWarning, match=message):
        model.fit(task.X, y)


@pytest.mark.parametrize(
    "labels", [[-1, 1], [-1, 0], [0, 1, 2], [-2, -1, 0], [-3, 0, 1], ["-1", "0", "1"]]
)
def test_other_labels_are_no_mask(labels, problem):
    task = problem("classes", n=30)
    AlphaTransferClassifier().fit(task.X, np.array(labels)[np.arange(30) % len(labels)])


@pytest.mark.parametrize("selection", ["anchored", "evidence"])
def test_minus_one_that_is_named_is_a_class(selection, problem):
    task = problem("classes", n=30)
    y = np.arange(30) % 3 - 1
    model = AlphaTransferClassifier(classes=[-1, 0, 1], selection=selection).fit(task.X, y)
    assert_array_equal(model.classes_, [-1, 0, 1])
    source = LogisticRegression().fit(task.X, y)
    model = AlphaTransferClassifier(source, selection=selection).fit(task.X, y)
    assert_array_equal(model.classes_, [-1, 0, 1])


@pytest.mark.parametrize("selection", ["blend", "generative", "theory"])
@pytest.mark.parametrize("classes", [[0, 1, 2], [1, 2]])
def test_a_class_without_rows_is_refused_by_rules_that_read_its_mean(selection, classes, problem):
    task = problem("binary", n=20)
    y = np.ones(20, dtype=int) if len(classes) == 2 else task.y
    model = AlphaTransferClassifier(selection=selection, classes=classes)
    with pytest.raises(ValueError, match=r"a class has no rows.*'evidence'.*out of classes"):
        model.fit(task.X, y)
    model.set_params(selection="evidence").fit(task.X, y)
    assert np.isfinite(model.predict_proba(task.X)).all()


# ---------------------------------------------------------------- other names of the same classes


def in_two_codings(of_source, of_rows):
    rng = np.random.default_rng(0)
    X, labels = rng.normal(size=(40, 3)), np.arange(40) % len(of_source)
    source = LogisticRegression().fit(X, np.array(of_source)[labels])
    return source, X, np.array(of_rows)[labels]


@pytest.mark.parametrize("of_rows", [[0, 1], [False, True], [0.0, 1.0]], ids=str)
@pytest.mark.parametrize("reverse", [False, True])
def test_two_codings_of_two_classes_are_refused(of_rows, reverse):
    """-1 and 1 beside 0 and 1 would be three classes."""
    codings = ([-1, 1], of_rows)[:: -1 if reverse else 1]
    source, X, y = in_two_codings(*codings)
    with pytest.raises(ValueError, match="two names of the same two classes"):
        AlphaTransferClassifier(source).fit(X, y)
    same = AlphaTransferClassifier(source).fit(X, source.classes_[(y == codings[1][1]).astype(int)])
    assert same.coef_.shape == (1, 3)


# of the class 0, which the source lacks
@pytest.mark.filterwarnings("ignore:source never saw")
def test_three_classes_that_are_named_are_not_two_codings():
    source, X, y = in_two_codings([-1, 1], [0, 1])
    model = AlphaTransferClassifier(source, classes=[-1, 0, 1]).fit(X, y)
    assert_array_equal(model.classes_, [-1, 0, 1])


def test_labels_that_were_encoded_meet_a_source_of_names():
    source, X, y = in_two_codings(["cat", "dog"], [0, 1])
    with pytest.raises(ValueError, match=r"none of the target's.*encode y as 0, 1, 2"):
        AlphaTransferClassifier(source).fit(X, y)


def test_labels_that_were_encoded_meet_a_source_that_counts_from_one():
    source, X, y = in_two_codings([1, 2, 3], [0, 1, 2])
    with pytest.warns(UserWarning, match=r"never saw the classes \[0\].*encode y as 0, 1, 2"):
        AlphaTransferClassifier(source).fit(X, y)


def test_a_missing_label_is_refused():
    X = np.random.default_rng(0).normal(size=(4, 2))
    with pytest.raises(ValueError, match="y contains None"):
        AlphaTransferClassifier().fit(X, np.array(["a", "b", None, "a"], dtype=object))
