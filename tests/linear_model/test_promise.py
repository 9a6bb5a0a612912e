"""The default is at least as good as its source, and as a fit of the target alone, on average.

Gaussian classes whose means have moved from the source to the target, and linear models whose
coefficients have. The same seeds draw the same problems for each of the three.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, Ridge
from sklearn.metrics import log_loss

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor

# a reversed source is said to be one
pytestmark = pytest.mark.filterwarnings("ignore:The labels contradict the source")
N_SEEDS = 20
N_TEST = 500


def classes_task(seed, n_classes, n, p, kind):
    """Rows of a source and of a target, and rows to test on.

    Each class has one of the target's rows, of which there are more then, unless they are "random".
    """
    rng = np.random.default_rng([seed, n_classes, n, p])
    means = rng.normal(size=(n_classes, p)) / 2
    there = means + 0.4 * rng.normal(size=(n_classes, p))
    shares = np.full(n_classes, 1 / n_classes)
    if kind == "opposed":
        there = -there
    elif kind == "useless":
        there = rng.normal(size=(n_classes, p)) / 2
    elif kind == "label shift":
        shares = np.arange(1, n_classes + 1) ** 2.0
        shares /= shares.sum()

    def rows(labels, means):
        return means[labels] + rng.normal(size=(len(labels), p)), labels

    source = LogisticRegression(C=0.1).fit(*rows(np.arange(400) % n_classes, means))
    n = n if kind == "random" else max(n, n_classes)
    labels = rng.choice(n_classes, size=n, p=shares)
    if kind != "random":
        labels[:n_classes] = np.arange(n_classes)
    X, y = rows(labels, there)
    X_test, y_test = rows(rng.choice(n_classes, size=N_TEST, p=shares), there)
    return SimpleNamespace(source=source, X=X, y=y, X_test=X_test, y_test=y_test)


def scores(model, task):
    """Accuracy in points, and log loss."""
    P = model.predict_proba(task.X_test)
    accuracy = 100 * np.mean(model.predict(task.X_test) == task.y_test)
    return accuracy, log_loss(task.y_test, P, labels=model.classes_)


def mean_scores(n_classes, n, p, kind, unit=None):
    """Of the default, of the source and of the target alone, (3, 2)."""
    found = []
    for seed in range(N_SEEDS):
        task = classes_task(seed, n_classes, n, p, kind)
        source = task.source
        if unit is not None:
            source = (unit * source.coef_, unit * source.intercept_)
        models = (
            AlphaTransferClassifier(source).fit(task.X, task.y),
            task.source,
            AlphaTransferClassifier().fit(task.X, task.y),
        )
        found.append([scores(model, task) for model in models])
    return np.mean(found, axis=0)


def assert_no_worse(found, points=0.5, nats=0.01):
    """Than the better of both, in accuracy and in log loss."""
    default, source, alone = found
    assert default[0] >= max(source[0], alone[0]) - points, found
    assert default[1] <= min(source[1], alone[1]) + nats, found


many_classes = pytest.mark.parametrize("n_classes", [2, 3, 5, 10])


@many_classes
@pytest.mark.parametrize(("n", "p"), [(8, 10), (20, 10), (8, 60), (20, 60)])
def test_no_worse_beside_a_related_source(n_classes, n, p):
    # from 20 rows of two or three classes, the target alone is at times as good
    points = 1.0 if n == 20 and n_classes <= 3 else 0.5
    assert_no_worse(mean_scores(n_classes, n, p, "related"), points, nats=0.002)


@many_classes
@pytest.mark.parametrize("p", [10, 60])
def test_no_worse_than_the_evidence_of_the_target_alone(n_classes, p):
    found = []
    for seed in range(N_SEEDS):
        task = classes_task(seed, n_classes, 20, p, "related")
        models = (
            AlphaTransferClassifier(task.source),
            AlphaTransferClassifier(selection="evidence"),
        )
        found.append([scores(model.fit(task.X, task.y), task) for model in models])
    default, alone = np.mean(found, axis=0)
    assert default[0] >= alone[0] - 0.5
    assert default[1] <= alone[1]


@many_classes
@pytest.mark.parametrize(("n", "p"), [(8, 10), (8, 60), (20, 10), (20, 60), (60, 60)])
def test_no_worse_under_label_shift(n_classes, n, p):
    assert_no_worse(mean_scores(n_classes, n, p, "label shift"))


@pytest.mark.parametrize("n_classes", [3, 5, 10])
@pytest.mark.parametrize(("n", "p"), [(8, 10), (20, 10), (8, 60)])
def test_no_worse_beside_an_opposed_source(n_classes, n, p):
    assert_no_worse(mean_scores(n_classes, n, p, "opposed"))


@many_classes
@pytest.mark.parametrize("p", [10, 60])
def test_no_worse_beside_a_useless_source_once_rows_show_it(n_classes, p):
    assert_no_worse(mean_scores(n_classes, 60, p, "useless"))


@many_classes
def test_twenty_rows_show_a_useless_source_to_be_one(n_classes):
    """Of many features."""
    assert_no_worse(mean_scores(n_classes, 20, 60, "useless"), points=0.75, nats=0.015)


@pytest.mark.parametrize(
    ("n_classes", "points", "nats"), [(2, 3.5, 0.07), (3, 2, 0.03), (5, 1, 0.015), (10, 1.5, 0.03)]
)
def test_what_a_useless_source_costs_beside_twenty_rows_of_few_features(n_classes, points, nats):
    assert_no_worse(mean_scores(n_classes, 20, 10, "useless"), points, nats)


def mirrored_digits(seed, n, power):
    """Principal components k of digits with the standard deviation k^−power, as hidden states of
    networks have them. The digits of the target are mirrored, so that the source knows little.
    """
    images, y = load_digits(return_X_y=True)
    order = np.random.default_rng(seed).permutation(len(y))
    own, there, test = order[:600], order[600 : 600 + n], order[1000:]
    components = PCA(30, whiten=True, random_state=0).fit(images)
    scale = np.arange(1, 31.0) ** -power
    mirrored = images.reshape(-1, 8, 8)[:, :, ::-1].reshape(images.shape)
    Z, X = (components.transform(part) * scale for part in (images, mirrored))
    source = LogisticRegression(C=10, max_iter=500).fit(Z[own], y[own])
    return SimpleNamespace(source=source, X=X[there], y=y[there], X_test=X[test], y_test=y[test])


@pytest.mark.filterwarnings("ignore::FutureWarning")  # of LogisticRegressionCV
@pytest.mark.parametrize(("n", "points"), [(100, 0.5), (300, 1.0)])
def test_features_that_vary_mostly_in_a_few_directions(n, points):
    """They need a γ far below that of features that vary alike."""
    found = []
    for seed in range(4):
        task = mirrored_digits(seed, n, power=1.5)
        alone = LogisticRegressionCV(
            Cs=np.logspace(-1, 5, 7), cv=3, max_iter=500, scoring="neg_log_loss"
        )
        models = AlphaTransferClassifier(task.source), task.source, alone
        models[0].fit(task.X, task.y)
        alone.fit(task.X, task.y)
        found.append([scores(model, task) for model in models])
    assert_no_worse(np.mean(found, axis=0), points)


@pytest.mark.parametrize("n_classes", [5, 10])
@pytest.mark.parametrize(
    ("n", "p", "nats"),
    [(5, 10, 0.07), (10, 10, 0.03), (20, 10, 0), (5, 60, 0), (10, 60, 0), (40, 60, 0)],
)
def test_random_rows_leave_no_class_behind(n_classes, n, p, nats):
    """Classes that no row shows are those of the source."""
    found = []
    for seed in range(3 * N_SEEDS):
        task = classes_task(seed, n_classes, n, p, "random")
        model = AlphaTransferClassifier(task.source).fit(task.X, task.y)
        found.append([scores(one, task) for one in (model, task.source)])
    default, source = np.mean(found, axis=0)
    assert default[0] >= source[0]
    assert default[1] <= source[1] + nats


@pytest.mark.parametrize("n_classes", [2, 3, 5])
@pytest.mark.parametrize("unit", [1e-3, 1e3])
def test_no_worse_beside_an_array_of_any_scale(n_classes, unit):
    assert_no_worse(mean_scores(n_classes, 8, 60, "related", unit))


@many_classes
@pytest.mark.parametrize("n", [8, 20, 60])
@pytest.mark.parametrize("p", [10, 60])
@pytest.mark.parametrize("kind", ["related", "label shift"])
def test_never_below_the_source(n_classes, n, p, kind):
    """The promise itself."""
    default, source, _ = mean_scores(n_classes, n, p, kind)
    assert default[0] >= source[0]
    assert default[1] <= source[1]


# ---------------------------------------------------------------- regression


def linear_rows(rng, n, w, b):
    X = rng.normal(size=(n, len(w))) + 0.5
    return X, X @ w + b + rng.normal(size=n)


def mean_errors(n, p, kind):
    """Squared errors of the default, of the source and of the target alone, noise included."""
    found = []
    for seed in range(N_SEEDS):
        rng = np.random.default_rng([seed, n, p])
        w, b = rng.normal(size=p) / np.sqrt(p / 4), 5.0
        there, level = w + 0.4 * rng.normal(size=p) / np.sqrt(p / 4), b
        if kind == "shifted":
            level = b + 3
        elif kind == "opposed":
            there = -w
        elif kind == "useless":
            there, level = rng.normal(size=p) / np.sqrt(p / 4), 3 * rng.normal()

        source = Ridge().fit(*linear_rows(rng, 300, w, b))
        X, y = linear_rows(rng, n, there, level)
        X_test, y_test = linear_rows(rng, N_TEST, there, level)
        models = (
            AlphaTransferRegressor(source).fit(X, y),
            source,
            AlphaTransferRegressor().fit(X, y),
        )
        found.append([np.mean((model.predict(X_test) - y_test) ** 2) for model in models])
    return np.mean(found, axis=0)


@pytest.mark.parametrize("p", [5, 40])
@pytest.mark.parametrize(
    ("kind", "n"),
    [
        *(("related", n) for n in (3, 8, 20, 60)),
        *(("shifted", n) for n in (3, 8, 20, 60)),
        *(("opposed", n) for n in (8, 20, 60)),
    ],
)
def test_numbers_are_predicted_no_worse(kind, n, p):
    default, source, alone = mean_errors(n, p, kind)
    assert default <= 1.03 * min(source, alone), (default, source, alone)


# ---------------------------------------------------------------- what holds for each problem

problems = given(
    seed=st.integers(0, 1000),
    n_classes=st.integers(2, 5),
    n=st.integers(5, 30),
    p=st.integers(1, 40),
    kind=st.sampled_from(["related", "label shift", "opposed", "useless"]),
)


@problems
@settings(max_examples=40, deadline=None)
def test_the_unit_of_an_array_moves_nothing(seed, n_classes, n, p, kind):
    task = classes_task(seed, n_classes, n, p, kind)
    coef, intercept = task.source.coef_, task.source.intercept_
    P = [
        AlphaTransferClassifier((unit * coef, unit * intercept))
        .fit(task.X, task.y)
        .predict_proba(task.X_test)
        for unit in (1.0, 1e-3, 1e3)
    ]
    assert_allclose(P[1], P[0], atol=1e-7)
    assert_allclose(P[2], P[0], atol=1e-7)
    assert_allclose(P[0].sum(axis=1), 1)


@problems
@settings(max_examples=40, deadline=None)
def test_the_names_of_the_classes_move_nothing(seed, n_classes, n, p, kind):
    task = classes_task(seed, n_classes, n, p, kind)
    P = AlphaTransferClassifier(task.source).fit(task.X, task.y).predict_proba(task.X_test)
    names = np.random.default_rng(seed).permutation(n_classes)
    coef, intercept = task.source.coef_, task.source.intercept_
    if n_classes == 2:
        coef, intercept = np.vstack([-coef, coef]) / 2, np.append(-intercept, intercept) / 2
    renamed = LogisticRegression()
    renamed.classes_ = np.arange(n_classes)
    renamed.coef_, renamed.intercept_ = coef[np.argsort(names)], intercept[np.argsort(names)]
    if n_classes == 2:
        renamed.coef_ = renamed.coef_[1:] - renamed.coef_[:1]
        renamed.intercept_ = renamed.intercept_[1:] - renamed.intercept_[:1]
    model = AlphaTransferClassifier(renamed).fit(task.X, names[task.y])
    assert_allclose(model.predict_proba(task.X_test)[:, names], P, atol=1e-7)
