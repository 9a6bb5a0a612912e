"""Heads of transformers' classifiers as sources, whose inputs are then the rows of X."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor
from sklearn_alpha.linear_model._sources import read_sources

torch = pytest.importorskip("torch")
NAMES = ["ape", "bee", "cat"]


def network(n_labels=3, p=4, head="classifier", names=None, seed=0):
    """What a model of transformers shows of its head, without the model."""
    torch.manual_seed(seed)
    names = names or [f"LABEL_{k}" for k in range(n_labels)]
    config = SimpleNamespace(id2label=dict(enumerate(names)))
    return SimpleNamespace(config=config, **{head: torch.nn.Linear(p, n_labels)})


@pytest.fixture
def classes(problem):
    task = problem("classes", n=24, p=4)
    task.names = np.array(NAMES)[task.y]
    return task


@pytest.mark.parametrize("head", ["classifier", "score"])
def test_classes_have_the_names_of_the_configuration(head, classes):
    order = [2, 0, 1]
    source = network(head=head, names=[NAMES[k] for k in order])
    layer = getattr(source, head)
    W, b = layer.weight.detach().numpy(), layer.bias.detach().numpy()
    model = AlphaTransferClassifier(source).fit(classes.X, classes.names)
    triple = AlphaTransferClassifier((W, b, np.array(NAMES)[order]))
    triple.fit(classes.X, classes.names)
    assert_array_equal(model.classes_, NAMES)
    assert_allclose(model.source_coef_, triple.source_coef_)
    assert_allclose(model.source_intercept_, triple.source_intercept_)


def test_without_names_rows_follow_the_sorted_classes(classes):
    source = network()
    model = AlphaTransferClassifier(source).fit(classes.X, classes.names)
    layer = AlphaTransferClassifier(source.classifier).fit(classes.X, classes.names)
    assert_array_equal(model.coef_, layer.coef_)


def test_many_classes_are_in_the_order_of_their_numbers():
    source = network(12, names=[f"class {k}" for k in range(12)])
    source.config.id2label = {str(k): name for k, name in source.config.id2label.items()}
    (read,) = read_sources(source, classifier=True)
    assert_array_equal(read.classes, [f"class {k}" for k in range(12)])


def test_two_rows_are_the_log_odds_of_the_second_class(problem):
    task = problem("binary", n=20, p=4)
    source = network(2, names=["no", "yes"])
    model = AlphaTransferClassifier(source, alpha=1.0, gamma=1e8, selection="evidence")
    model.fit(task.X, np.array(["no", "yes"])[task.y])
    with torch.no_grad():
        values = source.classifier(torch.from_numpy(task.X).float()).numpy()
    # α = 1 and a large penalty: the source in half log odds, and the constant column's weight
    decision = 2 * model.decision_function(task.X)
    assert_allclose(
        decision - decision.mean(), np.diff(values)[:, 0] - np.diff(values).mean(), atol=1e-5
    )
    (read,) = read_sources(source, classifier=True)
    assert read.log_odds == 1.0


def test_half_precision(classes):
    source = network(names=NAMES)
    source.classifier = source.classifier.to(torch.bfloat16)
    model = AlphaTransferClassifier(source).fit(classes.X, classes.names)
    own = source.classifier.weight.detach().float().numpy()
    assert_allclose(model.source_coef_[:, 0], own - own.mean(axis=0), atol=1e-6)


def test_a_head_of_one_row_predicts_numbers(problem):
    task = problem("target", n=20, p=4)
    source = network(1)
    model = AlphaTransferRegressor(source).fit(task.X, task.y)
    assert_allclose(model.source_coef_[0], source.classifier.weight.detach().numpy())


def test_classes_are_no_source_of_numbers(problem):
    task = problem("targets", n=20, p=4)
    with pytest.raises(ValueError, match="source, a SimpleNamespace, is a classifier but"):
        AlphaTransferRegressor(network(2, names=["no", "yes"])).fit(task.X, task.y)


def test_a_head_of_several_layers_is_an_error(classes):
    source = network()
    source.classifier = torch.nn.Sequential(source.classifier)
    message = r"no torch\.nn\.Linear named classifier or score; pass its last linear layer"
    with pytest.raises(ValueError, match=message):
        AlphaTransferClassifier(source).fit(classes.X, classes.names)


def test_names_that_are_not_those_of_the_target(classes):
    with pytest.raises(ValueError, match=re.escape("knows the classes ['x', 'y', 'z'] and none")):
        AlphaTransferClassifier(network(names=["x", "y", "z"])).fit(classes.X, classes.names)


def test_a_model_of_transformers(classes):
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 2}
    sizes |= {"intermediate_size": 4, "vocab_size": 20, "id2label": dict(enumerate(NAMES))}
    bert = transformers.BertForSequenceClassification(transformers.BertConfig(**sizes))
    model = AlphaTransferClassifier(bert).fit(classes.X, classes.names)
    own = bert.classifier.weight.detach().numpy()
    assert_allclose(model.source_coef_[:, 0], own - own.mean(axis=0), atol=1e-6)
    assert_array_equal(model.classes_, NAMES)
    roberta = transformers.RobertaForSequenceClassification(transformers.RobertaConfig(**sizes))
    with pytest.raises(ValueError, match="a RobertaForSequenceClassification, has no torch"):
        AlphaTransferClassifier(roberta).fit(classes.X, classes.names)
    last = AlphaTransferClassifier(roberta.classifier.out_proj).fit(classes.X, classes.names)
    assert last.source_coef_.shape == (3, 1, 4)
