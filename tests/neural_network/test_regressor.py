"""Targets that are numbers: the regressor against closed forms, plain models and its own copies."""

import copy
import pickle
import shutil

import numpy as np
import onnxruntime
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from peft import AutoPeftModelForSequenceClassification, PeftModel
from scipy.special import expit
from sklearn.base import clone, is_regressor
from sklearn.compose import TransformedTargetRegressor
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score
from sklearn.model_selection import GridSearchCV, ShuffleSplit, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks
from skorch.callbacks import Callback, EpochScoring
from skorch.dataset import Dataset
from skorch.helper import predefined_split
from torch import nn
from transformers import AutoModelForSequenceClassification, pipeline

from sklearn_alpha import AlphaLoRANetClassifier, AlphaLoRANetRegressor, AlphaTransferRegressor
from sklearn_alpha.neural_network._anchor import GRID, NAMED, prior
from sklearn_alpha.neural_network._number_probe import left_out_losses
from tests.neural_network.conftest import (
    make_module,
    make_numbers,
    make_texts,
    tiny_gpt,
    words_only,
)
from tests.neural_network.test_common import EXPECTED, ROUNDING
from tests.neural_network.test_folders import rewrite
from tests.neural_network.test_start import STILL

QUICK = {"max_epochs": 2, "rank": 2, "batch_size": 8, "lr": 0.02, "random_state": 0}
# Weights of a probe on a random network magnify rounding.
FREE = {**QUICK, "callbacks__linear_probe": None}


def make_targets(n=40, n_outputs=None, seed=0):
    """X (n, 4), and numbers whose mean is far from 0 and whose variance is far from 1."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 4))
    W = np.array([[30.0, -20.0, 0.0, 5.0], [0.0, 1.0, 2.0, 0.0]])
    Y = X @ W.T + [500.0, -3.0] + rng.normal(scale=[3.0, 0.3], size=(n, 2))
    return X, Y[:, 0] if n_outputs is None else Y[:, :n_outputs]


X, Y = make_targets()
PAIRS = make_targets(n_outputs=2)[1]
TEXTS, LABELS = make_texts(30)
STARS = 30.0 + 20 * (LABELS == "good") + np.random.default_rng(0).normal(size=30)


def fit(module=None, y=Y, sample_weight=None, **options):
    module = make_module(n_out=1 if y.ndim == 1 else y.shape[1]) if module is None else module
    net = AlphaLoRANetRegressor(module, **{**QUICK, **options})
    return net.fit(X[: len(y)], y, sample_weight=sample_weight)


def states(net, X):
    """Inputs of the head."""
    head, found = net.module_.get_submodule(net.module_.head), []
    hook = head.register_forward_hook(lambda module, args, output: found.append(args[0].detach()))
    net.predict(X)
    hook.remove()
    return torch.cat(found).double().numpy()


def outputs(model, rows=X):
    with torch.no_grad():
        return model(torch.as_tensor(rows, dtype=torch.float32)).double().numpy()


# ---------------------------------------------------------------- scikit-learn's suite


def lazy_perceptron():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return nn.Sequential(
            nn.LazyLinear(16), nn.Tanh(), nn.Linear(16, 16), nn.Tanh(), nn.Linear(16, 1)
        )


@parametrize_with_checks(
    [AlphaLoRANetRegressor(lazy_perceptron(), rank=2, lr=5e-3, max_epochs=12, random_state=0)],
    expected_failed_checks=lambda estimator: EXPECTED,
)
def test_scikit_learns_checks(estimator, check):
    if check.func.__name__ in ROUNDING:
        pytest.skip("float32 rounds by the shape of the batch; the test below compares to 1e-5")
    check(estimator)


def test_rows_do_not_depend_on_their_neighbours():
    net = fit()
    parts = np.concatenate([net.predict(X[:1]), net.predict(X[1:7]), net.predict(X[7:])])
    assert_allclose(parts, net.predict(X), rtol=1e-5)
    assert_allclose(net.predict(X[::-1])[::-1], net.predict(X), rtol=1e-5)


def test_it_is_a_regressor_and_has_no_probabilities():
    net = fit()
    assert is_regressor(net)
    assert not hasattr(net, "predict_proba")
    assert net.score(X, Y) == r2_score(Y, net.predict(X)) > 0.9
    assert repr(clone(AlphaLoRANetRegressor("hub/id", rank=2))) == (
        "AlphaLoRANetRegressor(model='hub/id', rank=2)"
    )


def test_pipelines_searches_and_transformed_targets():
    pipe = make_pipeline(StandardScaler(), AlphaLoRANetRegressor(make_module(n_out=1), **QUICK))
    search = GridSearchCV(pipe, {"alphaloranetregressor__rank": [1, 2]}, cv=2, error_score="raise")
    assert search.fit(X, Y).score(X, Y) > 0.8
    assert cross_val_predict(pipe, X, PAIRS, cv=2).shape == PAIRS.shape
    logs = TransformedTargetRegressor(pipe, func=np.log, inverse_func=np.exp)
    assert_allclose(logs.fit(X, Y).predict(X), np.exp(clone(pipe).fit(X, np.log(Y)).predict(X)))


def test_the_example_of_the_guide(tiny_bert):
    net = AlphaLoRANetRegressor(tiny_bert, early_stopping=True, validation_fraction=0.3, **QUICK)
    net.fit(TEXTS, STARS)
    y, intervals = net.predict_interval(TEXTS, confidence_level=[0.5, 0.8])
    assert y.shape == (30,)
    assert intervals.shape == (30, 2, 2)
    assert net.validation_["n_rows"] == 9


# ---------------------------------------------------------------- shapes and units


@pytest.mark.parametrize("shape", [(40,), (40, 1), (40, 2)])
def test_predictions_have_the_shape_of_y(shape):
    y = PAIRS[:, : shape[1]] if len(shape) == 2 else Y
    net = fit(y=y)
    assert net.predict(X).shape == shape
    assert net.predict(X).dtype == np.float64
    assert net.target_mean_.shape == net.target_scale_.shape == (np.size(y[0]),)


@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"alpha_split": 0.2}])
def test_units_of_y_do_not_matter(options):
    net, other = fit(**options), fit(y=1e4 * Y - 7, **options)
    assert_allclose(other.predict(X), 1e4 * net.predict(X) - 7, rtol=1e-5)


def test_one_output_of_two_is_not_louder_than_the_other():
    """A step of one batch has the gradient of the mean of both squared errors, standardised."""
    options = {"batch_size": 40, "max_epochs": 1, "optimizer": torch.optim.SGD, "alpha": 1.0}
    options |= {"callbacks__linear_probe": None, "callbacks__lr_decay": None, "lr": 0.1}
    module = make_module(n_out=2)
    net = fit(module, y=PAIRS, **options)
    mean, scale = PAIRS.mean(axis=0), PAIRS.std(axis=0)
    assert_allclose(net.target_mean_, mean)
    assert_allclose(net.target_scale_, scale)
    z = torch.as_tensor((PAIRS - mean) / scale, dtype=torch.float32)
    plain = copy.deepcopy(module)
    with torch.no_grad():
        plain[-1].weight /= torch.tensor(scale)[:, None]
        plain[-1].bias.copy_((plain[-1].bias - torch.tensor(mean)) / torch.tensor(scale))
    nn.functional.mse_loss(plain(torch.tensor(X, dtype=torch.float32)), z).backward()
    stepped = (plain[-1].weight - 0.1 * plain[-1].weight.grad).detach().numpy()
    assert_allclose(net.merged_model()[-1].weight.detach(), scale[:, None] * stepped, rtol=1e-4)


def test_constant_targets_and_large_numbers():
    assert_allclose(fit(y=np.full(40, 7.0)).predict(X), 7, atol=0.1)
    far = fit(y=1e9 + Y)
    assert r2_score(1e9 + Y, far.predict(X)) > 0.9


# ---------------------------------------------------------------- the start


@pytest.mark.parametrize("n_outputs", [None, 2])
@pytest.mark.parametrize("head", ["new", "unknown", "known"])
def test_training_starts_at_the_ridge_of_the_states(head, n_outputs):
    """Without a step, predictions are those of `AlphaTransferRegressor` on the head's inputs."""
    y = make_targets(n_outputs=n_outputs)[1]
    width = 1 if n_outputs is None else n_outputs
    module = make_module(n_out=5 if head == "new" else width)
    model, source = module, None
    if head == "unknown":
        source = (module[-1].weight.detach().double().numpy(), module[-1].bias.detach().numpy())
    if head == "known":
        still = {**STILL, "callbacks__linear_probe": None}
        first = fit(module, y=y, **still)
        model, source = FrozenEstimator(first), LinearRegression()
        layer = first.merged_model()[-1]
        source.coef_, source.intercept_ = (p.detach().double().numpy() for p in layer.parameters())
        source.n_features_in_ = 8
    net = AlphaLoRANetRegressor(model, **STILL).fit(X, y)
    assert net.starts_at_probe_
    # the rule does not depend on the units of y
    mean, scale = net.target_mean_, net.target_scale_
    if head == "unknown":
        source = (source[0] / scale[:, None], (source[1] - mean) / scale)
    if head == "known":
        source.coef_ = source.coef_ / scale[:, None]
        source.intercept_ = (source.intercept_ - mean) / scale
        source = FrozenEstimator(source)
    Z = states(net, X)
    standard = (y.reshape(40, width) - mean) / scale
    expected = AlphaTransferRegressor(source).fit(Z, standard).predict(Z) * scale + mean
    assert_allclose(net.predict(X).reshape(expected.shape), expected, rtol=1e-4, atol=1e-4)


def test_a_head_without_bias_is_not_centred(tiny_bert):
    module = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1, bias=False))
    net = AlphaLoRANetRegressor(module, **STILL).fit(X, Y)
    assert_array_equal(net.target_mean_, 0)
    assert_allclose(net.target_scale_, np.sqrt(np.mean(Y**2)))
    Z = states(net, X)
    source = module[-1].weight.detach().double().numpy() / net.target_scale_[0]
    model = AlphaTransferRegressor((source, [0.0]), fit_intercept=False)
    expected = model.fit(Z, Y / net.target_scale_[0]).predict(Z) * net.target_scale_[0]
    assert_allclose(net.predict(X), expected, rtol=1e-4)


class Positive(nn.Module):
    """Its outputs are not those of its last linear layer."""

    def __init__(self):
        super().__init__()
        self.layers = make_module(n_out=1)

    def forward(self, rows):
        return nn.functional.softplus(self.layers(rows))


def test_a_module_that_ends_otherwise_keeps_its_units():
    y = np.exp(X[:, 0])
    net = fit(Positive(), y=y)
    assert_array_equal(net.target_mean_, 0)
    assert_array_equal(net.target_scale_, 1)
    assert (net.predict(X) > 0).all()
    assert_allclose(outputs(net.merged_model())[:, 0], net.predict(X), rtol=1e-5)


def test_alpha_starts_where_left_out_rows_say():
    """2^(−P) of the gain in log likelihood of α = ½ over 1."""
    module = make_module(n_out=1)
    with torch.no_grad():
        module[0].weight *= 20  # saturated
    rows, y = make_targets(120)
    losses = []
    for alpha in (0.5, 1.0):
        options = {**STILL, "alpha_init": alpha, "callbacks__linear_probe": None}
        net = AlphaLoRANetRegressor(module, **options).fit(rows, y)
        z = ((y - net.target_mean_) / net.target_scale_)[:, None]
        v, b = (
            p.detach().double().numpy()
            for p in net.module_.get_submodule(net.module_.head).parameters()
        )
        model = AlphaTransferRegressor((v, b), store_loo=True).fit(states(net, rows), z)
        r = z - model.loo_decision_function_
        losses.append((np.log(np.mean(r**2)) / 2 + r**2 / (2 * np.mean(r**2))).ravel())
    d = losses[1] - losses[0]
    gain = d.mean() - d.std() / np.sqrt(120)
    expected = 2 ** -expit((gain - 0.04) / 0.01)
    net = AlphaLoRANetRegressor(module, **{**STILL, "alpha_init": "auto"}).fit(rows, y)
    assert expected < 0.9
    for alpha in net.alpha_.values():
        assert_allclose(alpha, expected, rtol=1e-3)


def test_left_out_losses_are_minus_the_log_density():
    rng = np.random.default_rng(0)
    codes, weights = rng.normal(size=(50, 2)), rng.integers(1, 4, size=50).astype(float)
    model = AlphaTransferRegressor(store_loo=True).fit(X[np.arange(50) % 40], codes, weights)

    class Found:
        pass

    found = Found()
    found.model, found.codes, found.weights = model, codes, weights
    r = codes - model.loo_decision_function_
    tau = np.sqrt(np.average(r**2, axis=0, weights=weights))
    density = torch.distributions.Normal(0.0, torch.tensor(tau)).log_prob(torch.tensor(r))
    expected = -density.numpy().sum(axis=1) - np.log(2 * np.pi)  # a constant less, for two outputs
    assert_allclose(left_out_losses(found), expected)


# ---------------------------------------------------------------- weights


def test_one_full_batch_of_weighted_rows_is_that_of_repeated_rows():
    weights = np.arange(40) % 3
    rows = np.repeat(np.arange(40), weights)
    options = {**FREE, "batch_size": 100}
    one = AlphaLoRANetRegressor(make_module(n_out=1), **options)
    one.fit(X, Y, sample_weight=weights)
    two = AlphaLoRANetRegressor(make_module(n_out=1), **options).fit(X[rows], Y[rows])
    assert_allclose(one.target_mean_, two.target_mean_)
    assert_allclose(one.target_scale_, two.target_scale_)
    assert_allclose(one.predict(X), two.predict(X), rtol=1e-5)


def test_the_scale_of_weights_does_not_matter():
    weights = np.random.default_rng(0).uniform(0.1, 2, size=40)
    one, two = fit(sample_weight=weights), fit(sample_weight=100 * weights)
    assert_allclose(one.predict(X), two.predict(X), rtol=1e-5)


# ---------------------------------------------------------------- copies


MODULES = {
    "plain": lambda: make_module(n_out=1),
    "new head": lambda: make_module(n_out=3),
    "no bias": lambda: nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1, bias=False)),
    "adapted head": lambda: nn.Sequential(nn.Tanh(), nn.Linear(4, 1)),
}


@pytest.mark.parametrize("kind", MODULES)
def test_every_copy_predicts_the_same(kind, tmp_path):
    module = MODULES[kind]()
    net = fit(module, **FREE)
    expected = net.predict(X)
    assert_allclose(outputs(net.merged_model())[:, 0], expected, rtol=1e-4, atol=1e-3)
    assert_array_equal(pickle.loads(pickle.dumps(net)).predict(X), expected)
    net.save(tmp_path / "net")
    loaded = AlphaLoRANetRegressor.load(tmp_path / "net", model=module)
    assert_array_equal(loaded.predict(X), expected)
    again = loaded.partial_fit(X, Y)
    assert not np.array_equal(again.predict(X), expected)
    net.export_dora(tmp_path / "dora")
    plain = copy.deepcopy(module)
    if kind == "new head":
        plain[-1] = nn.Linear(8, 1)
    with torch.no_grad():
        assert_allclose(
            outputs(PeftModel.from_pretrained(plain, tmp_path / "dora"))[:, 0],
            expected,
            rtol=1e-4,
            atol=1e-3,
        )


def test_two_outputs_of_every_copy(tmp_path):
    net = fit(y=PAIRS, **FREE)
    expected = net.predict(X)
    assert_allclose(outputs(net.merged_model()), expected, rtol=1e-4, atol=1e-3)
    net.save(tmp_path / "net")
    loaded = AlphaLoRANetRegressor.load(tmp_path / "net", model=make_module(n_out=2))
    assert_array_equal(loaded.predict(X), expected)
    assert loaded.target_shape_ == (2,)
    net.export_onnx(tmp_path / "net.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "net.onnx")
    (found,) = session.run(["y"], {"X": X.astype(np.float32)})
    assert_allclose(found, expected, rtol=1e-4, atol=1e-3)


@pytest.fixture(scope="module")
def text_net(tiny_bert):
    options = {**FREE, "early_stopping": True, "validation_fraction": 0.2}
    return AlphaLoRANetRegressor(tiny_bert, **options).fit(TEXTS, STARS)


def test_the_pipeline_of_transformers_predicts_in_the_units_of_y(text_net, tmp_path):
    text_net.merged_model().save_pretrained(tmp_path)
    text_net.tokenizer_.save_pretrained(tmp_path)
    model = AutoModelForSequenceClassification.from_pretrained(tmp_path)
    assert (model.config.problem_type, model.config.num_labels) == ("regression", 1)
    found = [answer["score"] for answer in pipeline("text-classification", str(tmp_path))(TEXTS)]
    assert_allclose(found, text_net.predict(TEXTS), rtol=1e-4)


@pytest.mark.parametrize("model", ["bert", "gpt"])
def test_texts_in_every_copy(tiny_bert, model, tmp_path):
    model, tokenizer = (
        (tiny_bert, None) if model == "bert" else (tiny_gpt(), words_only(eos_token="end"))
    )
    net = AlphaLoRANetRegressor(model, tokenizer=tokenizer, **FREE).fit(TEXTS, STARS)
    expected = net.predict(TEXTS)
    net.save(tmp_path / "net")
    assert_array_equal(AlphaLoRANetRegressor.load(tmp_path / "net").predict(TEXTS), expected)
    merged = net.merged_model()
    batch = net.tokenizer_(TEXTS, padding=True, return_tensors="pt")
    names = [name for name in net.tokenizer_.model_input_names if name in batch]
    with torch.no_grad():
        found = merged(**{name: batch[name] for name in names}).logits[:, 0]
    assert_allclose(found, expected, rtol=1e-3)
    same = AlphaLoRANetRegressor(FrozenEstimator(net), **{**FREE, "max_epochs": 0})
    assert_allclose(same.fit(TEXTS, STARS[::-1] + 5).predict(TEXTS), expected, rtol=1e-3)


def test_the_card_of_a_regression(text_net, tmp_path):
    text_net.save(tmp_path)
    card = (tmp_path / "README.md").read_text("utf-8")
    assert "# α-LoRA regression on texts" in card
    assert "AlphaLoRANetRegressor.load(folder)" in card
    assert f"| 0 | {text_net.target_mean_[0]:.6g} | {text_net.target_scale_[0]:.6g} |" in card
    assert f"| {text_net.validation_['r2']:.3f} |" in card
    assert "softmax" not in card
    assert "Labels" not in card


@pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing")  # PEFT reads it
def test_peft_loads_the_adapter_as_the_card_says(tiny_bert, tmp_path):
    net = AlphaLoRANetRegressor(tiny_bert, **FREE).fit(TEXTS, STARS)
    net.export_dora(tmp_path)
    network = AutoPeftModelForSequenceClassification.from_pretrained(
        tmp_path, num_labels=1, ignore_mismatched_sizes=True
    )
    batch = net.tokenizer_(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        assert_allclose(network(**batch).logits[:, 0], net.predict(TEXTS), rtol=1e-4)


# ---------------------------------------------------------------- sources


@pytest.fixture(scope="module")
def source():
    rows, y = make_targets(400, seed=1)
    net = AlphaLoRANetRegressor(make_module(n_out=1), **{**QUICK, "max_epochs": 10}).fit(rows, y)
    return FrozenEstimator(net)


def test_a_source_without_a_step_predicts_as_before(source):
    net = AlphaLoRANetRegressor(source, **{**QUICK, "max_epochs": 0}).fit(X, 3 * Y + 1)
    assert_allclose(net.predict(X), source.predict(X), rtol=1e-5)


def test_a_list_of_one_is_its_item(source):
    net = AlphaLoRANetRegressor([source], **QUICK).fit(X, Y)
    assert_array_equal(net.predict(X), AlphaLoRANetRegressor(source, **QUICK).fit(X, Y).predict(X))


def test_few_rows_leave_it_nearly_as_it_is_and_others_move_it(source):
    rows, y = make_targets(400, seed=2)
    few = AlphaLoRANetRegressor(source, **QUICK).fit(X[:6], Y[:6])
    assert few.trained_share_ < 0.3
    assert few.score(rows, y) > source.score(rows, y) - 0.01
    moved = AlphaLoRANetRegressor(source, **{**QUICK, "max_epochs": 10}).fit(X, -Y)
    assert moved.trained_share_ > 0.9
    assert moved.score(rows, -y) > 0.5


def test_the_share_is_the_posterior_mean(source):
    held = Dataset(*(part.astype(np.float32) for part in make_targets(12, seed=3)))
    options = {**QUICK, "train_split": predefined_split(held)}
    net = AlphaLoRANetRegressor(source, **options).fit(X, Y + 5 * X[:, 2])
    free = AlphaLoRANetRegressor(source, callbacks__anchor=None, **options)
    free.fit(X, Y + 5 * X[:, 2])
    start, end = (n.merged_model().state_dict() for n in (source.estimator, free))
    model, log_p = free.merged_model(), []
    for t in GRID:
        model.load_state_dict({k: torch.lerp(start[k], end[k], float(t)) for k in start})
        errors = (held.y - outputs(model, held.X)[:, 0]) / net.target_scale_[0]
        v = np.var(held.y / net.target_scale_[0])
        log_p.append(-13 / 2 * np.log(v + np.sum(errors**2)))
    posterior = prior(NAMED) * np.exp(np.array(log_p) - max(log_p))
    assert 0 < net.trained_share_ < 1
    assert_allclose(net.trained_share_, posterior @ GRID / posterior.sum(), rtol=1e-3)
    for name, value in net.merged_model().state_dict().items():
        mix = start[name] + net.trained_share_ * (end[name] - start[name])
        assert_allclose(value, mix, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_classes_and_numbers_do_not_share_a_head(tiny_bert, n_outputs):
    """Also where the width would fit."""
    y = np.column_stack([STARS, -STARS])[:, :n_outputs]
    classifier = AlphaLoRANetClassifier(tiny_bert, **FREE).fit(TEXTS, LABELS)
    net = AlphaLoRANetRegressor(FrozenEstimator(classifier), **FREE).fit(TEXTS, y)
    assert net.module_.head_is_new
    back = AlphaLoRANetClassifier(FrozenEstimator(net), **FREE).fit(TEXTS, LABELS)
    assert back.module_.head_is_new
    numbers, codes = make_numbers()
    classifier = AlphaLoRANetClassifier(make_module(), **FREE).fit(numbers, codes)
    net = AlphaLoRANetRegressor(FrozenEstimator(classifier), **FREE).fit(X, PAIRS)
    assert net.module_.head_is_new
    back = AlphaLoRANetClassifier(FrozenEstimator(net), **FREE).fit(numbers, codes)
    assert back.module_.head_is_new


@pytest.mark.parametrize("problem_type", ["regression", None])
def test_a_checkpoint_of_a_regression(text_net, problem_type, tmp_path):
    merged = text_net.merged_model()
    merged.config.problem_type = problem_type
    merged.save_pretrained(tmp_path)
    text_net.tokenizer_.save_pretrained(tmp_path)
    net = AlphaLoRANetRegressor(str(tmp_path), **{**QUICK, "max_epochs": 0}).fit(TEXTS, STARS + 9)
    assert_allclose(net.predict(TEXTS), text_net.predict(TEXTS), rtol=1e-4)
    assert net.module_.knows_classes == (problem_type is not None)


# ---------------------------------------------------------------- rows that are held out


def test_validation_is_of_the_rows_that_were_held_out():
    net = fit(y=PAIRS, early_stopping=True, validation_fraction=0.25, max_epochs=3)
    _, held = next(ShuffleSplit(1, test_size=0.25, random_state=net.seed_).split(X))
    found = net.validation_
    errors = abs(PAIRS[held] - net.predict(X[held]))
    assert found["n_rows"] == 10
    assert_allclose(found["r2"], r2_score(PAIRS[held], net.predict(X[held])), rtol=1e-4)
    assert_allclose(found["mean_squared_error"], np.mean(errors**2), rtol=1e-4)
    assert_allclose(np.sort(found["scores"], axis=0), np.sort(errors, axis=0), rtol=1e-3, atol=1e-3)
    y, intervals = net.predict_interval(X, 0.8)
    assert intervals.shape == (40, 2, 2, 1)
    assert_allclose(intervals.mean(axis=2)[..., 0], y)
    q = np.sort(errors, axis=0)[8]  # ⌈.8 · 11⌉ = 9
    assert_allclose(intervals[0, :, 1, 0] - y[0], q, rtol=1e-3, atol=1e-3)


def test_losses_are_of_standardised_targets_and_callbacks_score_them():
    score = EpochScoring("r2", lower_is_better=False, name="r2")
    split = predefined_split(Dataset(X.astype(np.float32), Y.astype(np.float32)))
    still = {**STILL, "callbacks__linear_probe": None}
    net = fit(train_split=split, callbacks=[score], **still)
    z = (Y - net.target_mean_) / net.target_scale_
    loss = np.mean((z - (net.predict(X) - net.target_mean_) / net.target_scale_) ** 2)
    assert_allclose(net.history_[-1, "valid_loss"], loss, rtol=1e-4)
    assert_allclose(net.history_[-1, "train_loss"], loss, rtol=1e-4)
    assert_allclose(net.history_[-1, "r2"], net.score(X, Y), rtol=1e-4)


class PerRow(nn.Module):
    """A loss of one's own, with one value for each row."""

    def __init__(self, reduction):
        super().__init__()

    def forward(self, outputs, z):
        return (outputs - z).abs().sum(dim=1)


@pytest.mark.parametrize("criterion", [nn.HuberLoss, nn.L1Loss, PerRow])
def test_other_losses(criterion):
    split = predefined_split(Dataset(X.astype(np.float32), PAIRS.astype(np.float32)))
    still = {**STILL, "callbacks__linear_probe": None}
    net = fit(y=PAIRS, criterion=criterion, train_split=split, **still)
    z, f = (
        torch.tensor((y - net.target_mean_) / net.target_scale_) for y in (PAIRS, net.predict(X))
    )
    expected = criterion(reduction="mean")(f, z).mean()
    assert_allclose(net.history_[-1, "valid_loss"], expected, rtol=1e-4)


def test_held_out_rows_reach_alpha_only():
    seen = []

    class Spy(Callback):
        def on_batch_begin(self, net, batch=None, training=False, **kwargs):
            seen.append(len(batch[1]))

    net = fit(alpha_split=0.25, max_epochs=1, callbacks=[Spy()])
    assert sum(seen) == 30
    assert any((alpha != alpha[0]).any() for alpha in net.alpha_.values())


def test_windows_of_long_texts(tiny_bert):
    options = {**FREE, "max_length": 6, "stride": 1}
    net = AlphaLoRANetRegressor(tiny_bert, **options).fit(TEXTS, STARS)
    long = max(TEXTS, key=len)
    windows = net.tokenizer_(
        long,
        max_length=6,
        stride=1,
        truncation=True,
        return_overflowing_tokens=True,
        padding=True,
        return_tensors="pt",
    )
    del windows["overflow_to_sample_mapping"]
    with torch.no_grad():
        expected = net.merged_model()(**windows).logits.mean()
    assert len(windows["input_ids"]) > 1
    assert_allclose(net.predict([long]), expected, rtol=1e-4)


def test_partial_fit_keeps_the_units_of_its_first_rows():
    net = AlphaLoRANetRegressor(make_module(n_out=1), **QUICK).partial_fit(X[:20], Y[:20])
    mean = net.target_mean_
    net.partial_fit(X[20:], 2 * Y[20:])
    assert_array_equal(net.target_mean_, mean)
    assert len(net.history_) == 4


# ---------------------------------------------------------------- refusals


def labelled(y):
    return lambda: fit(y=y)


NAN = np.where(np.arange(40) == 3, np.nan, Y)
REFUSED = {
    "a list": (lambda: fit([make_module(), make_module()]), "list of 2 sources, and a regression"),
    "words": (labelled(np.array(["a"] * 40)), "could not convert string to float"),
    "a gap": (labelled(NAN), "Input y contains NaN"),
    "huge numbers": (labelled(1e300 * Y), "y has numbers whose squares are too large"),
    "a cube": (labelled(np.zeros((40, 2, 2))), "Found array with dim 3"),
    "no weight": (
        lambda: fit(sample_weight=np.zeros(40)),
        "no row has a positive weight|one non-zero number",
    ),
    "too narrow": (
        lambda: fit(nn.Sequential(nn.Linear(4, 3)), y=PAIRS),
        "model returns 3 logits but y has 2 columns; give its last layer 2 outputs",
    ),
    "other columns": (
        lambda: fit().partial_fit(X, PAIRS),
        "2 columns but had one dimension in the",
    ),
    "no rows held out": (
        lambda: fit().predict_interval(X),
        "predict_interval needs rows that were",
    ),
    "all rows held out": (
        lambda: fit(y=Y[:1], early_stopping=True),
        "early_stopping splits 1 rows into 0 and 1",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refusals(case):
    call, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        call()


def test_folders_of_the_other_estimator(tmp_path):
    fit().save(tmp_path / "numbers")
    with pytest.raises(
        ValueError, match=r"holds an AlphaLoRANetRegressor; load it with AlphaLoRAN"
    ):
        AlphaLoRANetClassifier.load(tmp_path / "numbers", model=make_module())
    numbers, codes = make_numbers()
    AlphaLoRANetClassifier(make_module(), **QUICK).fit(numbers, codes).save(tmp_path / "classes")
    with pytest.raises(ValueError, match=r"holds an AlphaLoRANetClassifier; load it with"):
        AlphaLoRANetRegressor.load(tmp_path / "classes", model=make_module())


NAN_, INF = float("nan"), float("inf")
ATTRIBUTES = {
    "target_mean_": (None, [], [0.0, 1.0], ["x"], [NAN_], [1], 0.0),
    "target_scale_": (None, [], [0.0], [-1.0], [INF], [1.0, 1.0], {}),
    "target_shape_": (None, [2], [1, 1], "x", [0], [True]),
}
VALIDATION = {
    "n_rows": (0, 9, None),
    "r2": (1.5, NAN_, "x", 1),
    "mean_squared_error": (-1.0, NAN_, INF),
    "weights": ([], None, [-1.0] * 8, [0.0] * 8, ["x"] * 8),
    "scores": ([], [1.0] * 8, [[-1.0]] * 8, [[NAN_]] * 8, [[1.0], [1.0, 2.0]] * 4),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("numbers") / "net"
    fit(early_stopping=True, validation_fraction=0.2).save(folder)
    return folder


@pytest.mark.parametrize("name", [*ATTRIBUTES, *VALIDATION])
def test_hostile_records(folder, name, tmp_path):
    bad, values = tmp_path / "bad", {**ATTRIBUTES, **VALIDATION}[name]
    shutil.copytree(folder, bad)
    for value in values:

        def change(record, value=value):
            fitted = record["fitted"]
            (fitted if name in ATTRIBUTES else fitted["validation_"])[name] = value

        rewrite(bad, change)
        with pytest.raises(ValueError, match="is damaged; copy the folder again"):
            AlphaLoRANetRegressor.load(bad, model=make_module(n_out=1))
        shutil.rmtree(bad)
        shutil.copytree(folder, bad)
    AlphaLoRANetRegressor.load(bad, model=make_module(n_out=1)).predict_interval(X, 0.5)


@pytest.mark.parametrize("value", [None, "classes and numbers", 1, ["numbers"]])
def test_targets_of_no_kind(folder, tmp_path, value):
    shutil.copytree(folder, tmp_path / "bad")
    rewrite(tmp_path / "bad", lambda record: record.update(targets=value))
    with pytest.raises(ValueError, match="is damaged"):
        AlphaLoRANetRegressor.load(tmp_path / "bad", model=make_module(n_out=1))
