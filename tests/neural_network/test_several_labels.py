"""An indicator of several labels as y: one network, a logistic function for each label.

scikit-learn's checks of labels are among those of test_common.py.
"""

import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from scipy.sparse import csr_array
from scipy.special import expit, log_expit
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import GridSearchCV, ShuffleSplit
from sklearn.multiclass import OneVsRestClassifier
from sklearn.utils import Bunch
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from transformers import AutoModelForSequenceClassification, pipeline

from sklearn_alpha import AlphaLoRANetClassifier, AlphaLoRANetRegressor, AlphaTransferClassifier
from sklearn_alpha.neural_network._anchor import GRID, LOG_BETA, NAMED, WIDTH, prior
from sklearn_alpha.neural_network._label_probe import left_out_losses
from sklearn_alpha.neural_network._several_labels import best_threshold
from tests.neural_network.conftest import make_module, make_numbers, make_texts
from tests.neural_network.test_folders import rewrite
from tests.neural_network.test_regressor import outputs, states
from tests.neural_network.test_start import STILL

QUICK = {"max_epochs": 2, "rank": 2, "batch_size": 8, "lr": 0.02, "random_state": 0}
FREE = {**QUICK, "callbacks__linear_probe": None, "callbacks__anchor": None}


def make_labels(n=60, seed=0):
    """X (n, 4) and three labels of different frequencies."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    return X, (2 * X[:, :3] - [0, 0.5, 1] + rng.logistic(size=(n, 3)) > 0).astype(int)


X, Y = make_labels()
TEXTS, SAID = make_texts(30)
BOTH = np.column_stack([SAID == "good", ["film" in text for text in TEXTS]]).astype(int)


def fit(module=None, y=Y, sample_weight=None, **options):
    module = make_module(n_out=3) if module is None else module
    net = AlphaLoRANetClassifier(module, **{**QUICK, **options})
    return net.fit(X[: len(y)] if hasattr(y, "__len__") else X, y, sample_weight=sample_weight)


# ---------------------------------------------------------------- predictions


def test_decisions_probabilities_and_predictions_agree():
    net = fit()
    f, P = net.decision_function(X), net.predict_proba(X)
    assert f.shape == P.shape == net.predict(X).shape == (60, 3)
    assert_allclose(P, expit(f), rtol=1e-5)
    assert_allclose(net.predict_log_proba(X), np.log(P), rtol=1e-5)
    assert_array_equal(net.predict(X), P >= 0.5)
    assert_array_equal(net.classes_, [0, 1, 2])
    assert_array_equal(net.thresholds_, 0.5)
    assert net.n_labels_ == 3
    assert net.score(X, Y) == (net.predict(X) == Y).all(axis=1).mean()
    assert f1_score(Y, net.predict(X), average="macro") > 0.6


@pytest.mark.parametrize("kind", ["bool", "float", "list", "sparse"])
def test_indicators_of_any_kind_give_the_same_net(kind):
    y = {"bool": Y == 1, "float": Y.astype(float), "list": Y.tolist(), "sparse": csr_array(Y)}[kind]
    net = AlphaLoRANetClassifier(make_module(n_out=3), **QUICK).fit(X, y)
    assert_array_equal(net.predict_proba(X), fit().predict_proba(X))


def test_a_search_scores_labels():
    net = AlphaLoRANetClassifier(make_module(n_out=3), **QUICK)
    search = GridSearchCV(net, {"rank": [1, 2]}, cv=2, scoring="f1_macro", error_score="raise")
    assert 0.5 < search.fit(X, Y).best_score_ <= 1


def test_one_column_has_one_label():
    numbers, codes = make_numbers()
    with pytest.warns(UserWarning, match="column-vector y"):
        net = AlphaLoRANetClassifier(make_module(), **QUICK).fit(numbers, codes[:, None])
    assert net.n_labels_ is None
    assert net.predict(numbers).shape == (40,)
    assert not hasattr(net, "thresholds_")
    again = fit().fit(numbers, codes)  # a later fit of one label
    assert again.predict_proba(numbers).shape == (40, 2)


# ---------------------------------------------------------------- training


@pytest.mark.filterwarnings("ignore:The labels contradict the source")  # a random one
@pytest.mark.parametrize("head", ["new", "unknown", "known"])
def test_training_starts_at_the_probe_of_each_label(head):
    module = make_module(n_out=5 if head == "new" else 3)
    options = {"selection": "blend", "intercept_scaling": np.inf}
    source, model = None, module
    if head == "unknown":
        source = tuple(p.detach().double().numpy() for p in module[-1].parameters())
    if head == "known":
        still = {**STILL, "callbacks__linear_probe": None}
        model = FrozenEstimator(AlphaLoRANetClassifier(module, **still).fit(X, Y))
        source, options = OneVsRestClassifier(LogisticRegression()).fit(np.zeros((60, 8)), Y), {}
        for part, v, b in zip(
            source.estimators_, *(p.detach().double().numpy() for p in module[-1].parameters())
        ):
            part.coef_, part.intercept_ = v[None], b[None]
    net = AlphaLoRANetClassifier(model, **STILL).fit(X, Y)
    assert net.starts_at_probe_
    assert net.module_.knows_classes == (head == "known")
    Z = states(net, X)
    expected = AlphaTransferClassifier(source, **options).fit(Z, Y).predict_proba(Z)
    assert_allclose(net.predict_proba(X), expected, atol=1e-5)


def test_a_label_of_no_row_leaves_the_head_to_training():
    y = Y * [1, 1, 0]
    net = fit(y=y)
    assert not net.starts_at_probe_
    assert net.predict_proba(X).shape == (60, 3)


def test_left_out_losses_are_summed_over_labels():
    model = AlphaTransferClassifier(store_loo=True).fit(X, Y)
    P = expit(model.inverse_temperature_ * model.loo_decision_function_)
    expected = -np.log(np.where(Y == 1, P, 1 - P)).sum(axis=1)
    assert_allclose(left_out_losses(Bunch(model=model, codes=Y.astype(np.float32))), expected)


def test_the_loss_is_the_mean_of_the_binary_cross_entropies():
    split = predefined_split(Dataset(X.astype(np.float32), Y))
    still = {**STILL, "callbacks__linear_probe": None}
    net = fit(train_split=split, **still)
    P = expit(net.decision_function(X))
    loss = -np.log(np.where(Y == 1, P, 1 - P)).mean()
    assert_allclose(net.history_[-1, "train_loss"], loss, rtol=1e-5)
    assert_allclose(net.history_[-1, "valid_loss"], loss, rtol=1e-5)
    assert_allclose(net.history_[-1, "valid_acc"], np.mean(((P >= 0.5) == Y).all(axis=1)))


def test_one_full_batch_of_weighted_rows_is_that_of_repeated_rows():
    weights = np.arange(60) % 3
    rows = np.repeat(np.arange(60), weights)
    options = {**FREE, "batch_size": 200}
    one = AlphaLoRANetClassifier(make_module(n_out=3), **options).fit(X, Y, sample_weight=weights)
    two = AlphaLoRANetClassifier(make_module(n_out=3), **options).fit(X[rows], Y[rows])
    assert_allclose(one.predict_proba(X), two.predict_proba(X), atol=1e-5)


def test_alpha_on_held_out_rows_and_partial_fit():
    net = fit(alpha_split=0.25)
    before = net.predict_proba(X)
    assert not np.array_equal(net.partial_fit(X, Y).predict_proba(X), before)
    assert len(net.history_) == 4


# ---------------------------------------------------------------- held-out rows


def test_thresholds_and_temperature_are_of_the_held_out_rows():
    net = fit(early_stopping=True, validation_fraction=0.5)
    _, held = next(ShuffleSplit(1, test_size=0.5, random_state=net.seed_).split(X))
    found, P = net.validation_, net.predict_proba(X[held])
    assert_allclose(P, expit(net.inverse_temperature_ * net.decision_function(X[held])), rtol=1e-5)
    expected = [best_threshold(p, y, np.ones(30)) for p, y in zip(P.T, Y[held].T)]
    assert_allclose(net.thresholds_, expected, atol=1e-5)
    assert_array_equal(net.predict(X), net.predict_proba(X) >= net.thresholds_)
    assert found["n_rows"] == 30
    assert_allclose(found["accuracy"], net.score(X[held], Y[held]))
    loss = -np.log(np.where(Y[held] == 1, P, 1 - P)).mean()
    assert_allclose(found["log_loss"], loss, rtol=1e-5)


def test_the_threshold_has_the_largest_f1_of_labels_and_probabilities():
    rng = np.random.default_rng(0)
    p, weights = rng.uniform(size=30), rng.uniform(0.5, 2, size=30)
    y = (rng.uniform(size=30) < p**2).astype(float)
    found = best_threshold(p, y, weights)

    def F1(c):
        """Of 2n rows: each one with its label, and with a draw of its probability."""
        said = p >= c
        rows = [(weights * y, True), (weights * (1 - y), False), (weights * p, True)]
        rows.append((weights * (1 - p), False))
        hits = sum(w[said].sum() for w, has in rows if has)
        missed = sum(w[~said].sum() for w, has in rows if has)
        wrong = sum(w[said].sum() for w, has in rows if not has)
        return 2 * hits / (2 * hits + missed + wrong)

    assert_allclose(F1(found), max(F1(c) for c in np.linspace(0, 1, 2001)))
    assert best_threshold(p, np.zeros(30), weights) == 0.5
    assert best_threshold(np.array([0.1, 0.9]), np.array([0.0, 1.0]), np.ones(2)) == 0.5


def test_a_source_is_left_as_far_as_left_out_rows_say():
    source = FrozenEstimator(fit(max_epochs=10))
    held = Dataset(*make_labels(20, seed=3))
    held.X = held.X.astype(np.float32)
    options = {**QUICK, "train_split": predefined_split(held)}
    net = AlphaLoRANetClassifier(source, **options).fit(X, 1 - Y)
    free = AlphaLoRANetClassifier(source, callbacks__anchor=None, **options).fit(X, 1 - Y)
    start, end = (n.merged_model().state_dict() for n in (source.estimator, free))
    model, log_p = free.merged_model(), []
    for t in GRID:
        model.load_state_dict({k: torch.lerp(start[k], end[k], float(t)) for k in start})
        logits = outputs(model, held.X) * np.exp(LOG_BETA)[:, None, None]
        log_p.append(log_expit(np.where(held.y == 1, logits, -logits)).sum(axis=(1, 2)))
    log_p = np.array(log_p) - (LOG_BETA / WIDTH) ** 2 / 2
    posterior = prior(NAMED)[:, None] * np.exp(log_p - log_p.max())
    t = posterior.sum(axis=1) @ GRID / posterior.sum()
    assert_allclose(net.trained_share_, t, rtol=1e-3, atol=1e-9)
    few = AlphaLoRANetClassifier(source, **QUICK).fit(X[:8], Y[:8])
    assert few.trained_share_ < 0.3
    one = AlphaLoRANetClassifier([source], **QUICK).fit(X[:8], Y[:8])  # a list of one
    assert_array_equal(one.predict_proba(X), few.predict_proba(X))


# ---------------------------------------------------------------- copies


@pytest.fixture(scope="module")
def text_net(tiny_bert):
    options = {**FREE, "early_stopping": True, "validation_fraction": 0.3}
    return AlphaLoRANetClassifier(tiny_bert, **options).fit(TEXTS, BOTH)


def test_pickles_and_folders(text_net, tmp_path):
    expected = text_net.predict_proba(TEXTS)
    text_net.save(tmp_path)
    for again in (pickle.loads(pickle.dumps(text_net)), AlphaLoRANetClassifier.load(tmp_path)):
        assert_array_equal(again.predict_proba(TEXTS), expected)
        assert_array_equal(again.thresholds_, text_net.thresholds_)
        assert_array_equal(again.predict(TEXTS), text_net.predict(TEXTS))
        assert_array_equal(again.classes_, [0, 1])
    with pytest.raises(ValueError, match="holds an AlphaLoRANetClassifier; load it with"):
        AlphaLoRANetRegressor.load(tmp_path)
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "the logistic function of" in card
    assert ", ".join(f"{c:.3f}" for c in text_net.thresholds_) in card


def test_the_pipeline_of_transformers(text_net, tmp_path):
    text_net.merged_model().save_pretrained(tmp_path)
    text_net.tokenizer_.save_pretrained(tmp_path)
    config = AutoModelForSequenceClassification.from_pretrained(tmp_path).config
    assert config.problem_type == "multi_label_classification"
    answers = pipeline("text-classification", str(tmp_path), top_k=None)(TEXTS)
    P = expit(text_net.decision_function(TEXTS))
    for answer, own in zip(answers, P):
        for label in answer:
            assert_allclose(
                label["score"], own[int(label["label"].removeprefix("LABEL_"))], rtol=1e-4
            )


def test_a_checkpoint_of_several_labels_is_a_source(text_net, tmp_path):
    merged = text_net.merged_model()
    merged.config.id2label = {0: "kind", 1: "about films"}  # names, for the columns in their order
    merged.save_pretrained(tmp_path)
    text_net.tokenizer_.save_pretrained(tmp_path)
    net = AlphaLoRANetClassifier(str(tmp_path), **{**QUICK, "max_epochs": 0}).fit(TEXTS, BOTH)
    assert net.module_.knows_classes
    assert_allclose(net.decision_function(TEXTS), text_net.decision_function(TEXTS), atol=1e-5)


def test_one_label_and_several_labels_do_not_share_a_trained_head(tiny_bert, text_net):
    net = AlphaLoRANetClassifier(FrozenEstimator(text_net), **FREE).fit(TEXTS, SAID)
    assert net.module_.head_is_new
    back = AlphaLoRANetClassifier(FrozenEstimator(net), **FREE).fit(TEXTS, BOTH)
    assert not back.module_.knows_classes


# ---------------------------------------------------------------- refusals

REFUSED = {
    "classes in columns": (
        {"y": Y + np.arange(3)},
        r"y has 3 columns but is no indicator of labels",
    ),
    "class_weight": ({"class_weight": "balanced"}, "class_weight is for one label in each row"),
    "a list": ({"module": [make_module(n_out=3)] * 2}, "a list of 2 sources, and an indicator of"),
    "no weight": ({"sample_weight": np.zeros(60)}, "one non-zero number|no row has a positive"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    options, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        fit(**options)


def test_refusals_of_a_fitted_net():
    net = fit()
    with pytest.raises(ValueError, match="predict_set is for one label in each row"):
        net.predict_set(X)
    with pytest.raises(ValueError, match=r"y has 2 label\(s\) in a row but had 3 in the first fit"):
        net.partial_fit(X, Y[:, :2])
    with pytest.raises(ValueError, match="y is an indicator of labels; leave out classes"):
        AlphaLoRANetClassifier(make_module(n_out=3), **QUICK).partial_fit(X, Y, classes=[0, 1])
    split = predefined_split(Dataset(X.astype(np.float32), Y[:, :2]))
    with pytest.raises(ValueError, match="y has 2 columns but had 3 in the first fit"):
        fit(train_split=split)


HOSTILE = {
    "another number of labels": lambda fitted: fitted.update(n_labels_=3),
    "one label": lambda fitted: fitted.update(n_labels_=1),
    "no number": lambda fitted: fitted.update(n_labels_="2"),
    "no labels": lambda fitted: fitted.pop("n_labels_"),
    "too few thresholds": lambda fitted: fitted["validation_"].update(thresholds=[0.5]),
    "a threshold above 1": lambda fitted: fitted["validation_"].update(thresholds=[0.5, 1.5]),
    "a threshold of text": lambda fitted: fitted["validation_"].update(thresholds=[0.5, "x"]),
    "an accuracy above 1": lambda fitted: fitted["validation_"].update(accuracy=2.0),
    "another entry": lambda fitted: fitted["validation_"].update(scores=[]),
    "no temperature": lambda fitted: fitted["validation_"].update(inverse_temperature=None),
}


@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_records(text_net, tmp_path, attack):
    text_net.save(tmp_path)
    rewrite(tmp_path, lambda record: HOSTILE[attack](record["fitted"]))
    with pytest.raises(ValueError, match="is damaged; copy the folder again"):
        AlphaLoRANetClassifier.load(tmp_path)
