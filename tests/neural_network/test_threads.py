"""Nets in several threads: built once, reproducible fits, texts cut as they should be."""

import pickle
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor

import pytest
from numpy.testing import assert_array_equal

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import make_module, make_numbers, make_texts

X, Y = make_texts(24)
OPTIONS = {"max_epochs": 2, "rank": 2, "batch_size": 8, "lr": 0.01, "random_state": 0}
N_THREADS = 8


def in_threads(function, arguments):
    """Results of a function in threads that start together."""
    barrier = threading.Barrier(N_THREADS)

    def run(argument):
        barrier.wait()
        return function(argument)

    with ThreadPoolExecutor(N_THREADS) as pool:
        return list(pool.map(run, arguments))


@pytest.fixture(scope="module")
def net(tiny_bert):
    return AlphaLoRANetClassifier(tiny_bert, **OPTIONS).fit(X, Y)


def test_an_unpickled_net_is_built_once(net):
    expected = net.decision_function(X)
    for _ in range(3):
        again = pickle.loads(pickle.dumps(net))
        modules = in_threads(lambda net: (net.decision_function(X), net.module_), [again] * 8)
        assert len({id(module) for _, module in modules}) == 1
        for found, _ in modules:
            assert_array_equal(found, expected)


def test_fits_are_those_of_one_thread():
    (rows, labels), module = make_numbers(), make_module()

    def fit(seed):
        options = {**OPTIONS, "random_state": seed, "lora_dropout": 0.5}
        net = AlphaLoRANetClassifier(module, **options).fit(rows, labels)
        return net.decision_function(rows)

    seeds = list(range(N_THREADS))
    for found, expected in zip(in_threads(fit, seeds), map(fit, seeds)):
        assert_array_equal(found, expected)


@pytest.fixture
def quick_switches():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("quick_switches")
def test_long_texts_are_cut_in_every_thread(net):
    """They are tokenised twice: whole, to say how many are cut, and cut."""
    texts = [" ".join(["good film"] * n) for n in (1, 40, 3, 60)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the texts that are cut
        expected = net.get_dataset(texts).inputs
        for _ in range(20):
            for found in in_threads(lambda texts: net.get_dataset(texts).inputs, [texts] * 8):
                assert found == expected


def test_a_source_that_is_built_in_a_fit_does_not_block(net):
    """One thread fits on an unpickled net while another one uses it."""
    source = pickle.loads(pickle.dumps(net))

    def use(i):
        if i % 2:
            return source.decision_function(X)
        return AlphaLoRANetClassifier(source, **OPTIONS).fit(X, Y).decision_function(X)

    found = in_threads(use, range(N_THREADS))
    assert_array_equal(found[1], net.decision_function(X))
    assert_array_equal(found[0], found[2])
