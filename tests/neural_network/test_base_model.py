"""What `model` may be: adapters of PEFT as folders and as models."""

import copy
import pickle

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from peft import IA3Config, LoraConfig, PeftModel, PromptTuningConfig, get_peft_model
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from skorch import NeuralNetClassifier, NeuralNetRegressor
from transformers import (
    AutoTokenizer,
    BertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from sklearn_alpha import AlphaLoRANetClassifier, AlphaLoRANetRegressor
from sklearn_alpha.neural_network import add_alpha
from tests.neural_network.conftest import make_module, make_numbers, make_texts

X, Y = make_texts(24)
# Nothing is trained: the logits are those of the source.
STILL = {"max_epochs": 0, "rank": 2, "random_state": 0}
pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")


def lora(model, **options):
    """A LoRA whose fine-tuning is random, head included."""
    with torch.random.fork_rng():
        torch.manual_seed(1)
        config = LoraConfig(
            **{"task_type": "SEQ_CLS", "r": 2, "init_lora_weights": False} | options
        )
        model = get_peft_model(model, config)
        for name, p in model.named_parameters():
            if "classifier" in name or "lora_" in name:
                torch.nn.init.normal_(p)
    return model.eval()


def logits_of(model, folder):
    tokens = AutoTokenizer.from_pretrained(folder)(X, padding=True, return_tensors="pt")
    with torch.no_grad():
        return model(**tokens).logits.numpy()


def base_of(kind, tiny_bert, tmp_path):
    """Folder of a base model with its tokenizer."""
    if kind == "bert":
        return tiny_bert
    config = RobertaConfig(
        vocab_size=30,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
        max_position_embeddings=40,
        pad_token_id=1,
        type_vocab_size=2,
    )
    RobertaForSequenceClassification(config).save_pretrained(tmp_path / "base")
    AutoTokenizer.from_pretrained(tiny_bert).save_pretrained(tmp_path / "base")
    return str(tmp_path / "base")


@pytest.mark.parametrize("kind", ["bert", "roberta"])
@pytest.mark.parametrize("variant", ["lora", "alpha", "alpha and bias", "dora"])
def test_an_adapter_folder_keeps_its_fine_tuning(tiny_bert, tmp_path, kind, variant):
    folder = base_of(kind, tiny_bert, tmp_path)
    source = BertForSequenceClassification if kind == "bert" else RobertaForSequenceClassification
    adapter = lora(source.from_pretrained(folder), use_dora=variant == "dora")
    if "alpha" in variant:
        add_alpha(adapter, 0.5, scale_bias="bias" in variant)
    adapter.save_pretrained(tmp_path / "adapter")
    net = AlphaLoRANetClassifier(str(tmp_path / "adapter"), **STILL).fit(X, Y)
    expected = logits_of(adapter, folder)
    assert_allclose(net.decision_function(X), expected[:, 1] - expected[:, 0], atol=1e-4)
    net.save(tmp_path / "net")
    for again in (pickle.loads(pickle.dumps(net)), AlphaLoRANetClassifier.load(tmp_path / "net")):
        assert_allclose(again.decision_function(X), net.decision_function(X), atol=1e-5)
    assert net.partial_fit(X, Y).alpha_


@pytest.mark.parametrize("saved_with_head", [True, False])
def test_an_adapter_of_other_classes_gets_a_new_head(tiny_bert, tmp_path, saved_with_head):
    model = BertForSequenceClassification.from_pretrained(
        tiny_bert, num_labels=5, ignore_mismatched_sizes=True
    )
    task = "SEQ_CLS" if saved_with_head else None
    adapter = lora(model, task_type=task, target_modules=["query", "value"])
    adapter.save_pretrained(tmp_path)
    y = np.arange(24) % 3
    net = AlphaLoRANetClassifier(tmp_path, **STILL).fit(X, y)
    assert net.module_.head_is_new
    merged, body = net.merged_model(), adapter.merge_and_unload().bert
    for name, p in body.state_dict().items():
        assert_allclose(merged.bert.state_dict()[name], p, atol=1e-6)
    assert net.predict_proba(X).shape == (24, 3)


@pytest.mark.parametrize("config", [LoraConfig, IA3Config])
def test_a_peft_model_is_merged_and_not_changed(tiny_bert, config):
    model = BertForSequenceClassification.from_pretrained(tiny_bert)
    options = {"r": 2, "init_lora_weights": False} if config is LoraConfig else {}
    adapter = get_peft_model(model, config(task_type="SEQ_CLS", **options)).eval()
    before = copy.deepcopy(adapter.state_dict())
    net = AlphaLoRANetClassifier(adapter, tokenizer=tiny_bert, **STILL).fit(X, Y)
    expected = logits_of(adapter, tiny_bert)
    assert_allclose(net.decision_function(X), expected[:, 1] - expected[:, 0], atol=1e-5)
    assert all(torch.equal(before[name], p) for name, p in adapter.state_dict().items())
    assert isinstance(adapter, PeftModel)


def test_a_peft_model_of_numbers():
    rows, labels = make_numbers()
    adapter = lora(make_module(), task_type=None, target_modules=["0", "2"])
    net = AlphaLoRANetClassifier(adapter, **STILL).fit(rows, labels)
    with torch.no_grad():
        expected = adapter(torch.as_tensor(rows, dtype=torch.float32)).numpy()
    assert_allclose(net.decision_function(rows), expected[:, 1] - expected[:, 0], atol=1e-4)


def test_an_adapter_that_cannot_be_merged_is_refused(tiny_bert):
    model = BertForSequenceClassification.from_pretrained(tiny_bert)
    config = PromptTuningConfig(task_type="SEQ_CLS", num_virtual_tokens=2)
    with pytest.raises(ValueError, match="type PROMPT_TUNING, which cannot be merged into the wei"):
        AlphaLoRANetClassifier(get_peft_model(model, config)).fit(X, Y)


def test_an_adapter_without_the_name_of_its_base_is_refused(tmp_path):
    lora(make_module(), task_type=None, target_modules=["0"]).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="does not name its base model; load both with peft"):
        AlphaLoRANetClassifier(tmp_path).fit(X, Y)


def skorch_net(kind, y, criterion=torch.nn.CrossEntropyLoss, **options):
    """A fitted net of skorch on numbers."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = kind(make_module, criterion=criterion, max_epochs=2, verbose=0, **options)
        return net.fit(NUMBERS, y)


NUMBERS, CODES = make_numbers(24)
NUMBERS = NUMBERS.astype(np.float32)


@pytest.mark.parametrize("wrap", [lambda net: net, FrozenEstimator])
def test_a_classifier_of_skorch_is_a_source_that_knows_its_classes(wrap):
    source = skorch_net(NeuralNetClassifier, CODES, train_split=None)
    net = AlphaLoRANetClassifier(wrap(source), **STILL).fit(NUMBERS, CODES)
    assert_allclose(net.predict_proba(NUMBERS), source.predict_proba(NUMBERS), atol=1e-6)
    assert net.module_.knows_classes


def test_the_rows_of_its_head_are_found_by_the_classes():
    source = skorch_net(NeuralNetClassifier, CODES)
    names = np.array(["second", "first"])
    source.classes_inferred_ = names
    net = AlphaLoRANetClassifier(source, **STILL).fit(NUMBERS, names[CODES])
    P = source.predict_proba(NUMBERS)[:, ::-1]
    assert_allclose(net.predict_proba(NUMBERS), P, atol=1e-6)


def test_a_regressor_of_skorch_is_a_source_in_the_units_of_y():
    y = (NUMBERS[:, :1] * 30 + 5).astype(np.float32)
    options = {"module__n_out": 1, "criterion": torch.nn.MSELoss, "train_split": None}
    source = skorch_net(NeuralNetRegressor, y, **options)
    net = AlphaLoRANetRegressor(source, **STILL).fit(NUMBERS, y)
    assert_allclose(net.predict(NUMBERS), source.predict(NUMBERS), rtol=1e-4, atol=1e-4)


def test_a_classifier_of_skorch_that_returns_probabilities_is_refused():
    source = skorch_net(NeuralNetClassifier, CODES, criterion=torch.nn.NLLLoss)
    with pytest.raises(ValueError, match="whose module returns logits"):
        AlphaLoRANetClassifier(source, **STILL).fit(NUMBERS, CODES)


def test_a_net_of_skorch_that_is_not_fitted_is_refused():
    with pytest.raises(NotFittedError, match="not fitted"):
        AlphaLoRANetClassifier(NeuralNetClassifier(make_module), **STILL).fit(NUMBERS, CODES)
