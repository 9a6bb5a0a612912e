"""What makes a step of training fast leaves nothing behind."""

import numpy as np
import pytest
import torch
from skorch.callbacks import Callback
from torch import nn
from transformers import AutoTokenizer, BertForSequenceClassification, DistilBertConfig
from transformers import DistilBertForSequenceClassification as DistilBert

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network._attention import NAME
from tests.neural_network.conftest import make_module, make_numbers, make_texts

TEXTS, LABELS = make_texts(24)


class Watch(Callback):
    """Attention and the modules' modes after each step; after every other it sets the mode back."""

    def __init__(self):
        self.attention, self.modes = set(), []

    def on_batch_end(self, net, training=False, **kwargs):
        if not training or not net.fitting_:
            return
        network = net.module_.network
        if net.kind_ == "text":
            assert net.merged_model().config._attn_implementation != NAME
        self.attention.add(getattr(network.config, "_attn_implementation", None))
        self.modes.append({m.training for m in net.module_.modules()})
        if len(self.modes) % 2:
            net.module_.eval()


def dropping_bert(folder, dropout=0.1):
    """The tiny BERT with dropout on attention."""
    network = BertForSequenceClassification.from_pretrained(
        folder, attention_probs_dropout_prob=dropout
    )
    return network.train()


def fitted(model, folder, **options):
    options = {"max_epochs": 2, "batch_size": 8, "random_state": 0, **options}
    net = AlphaLoRANetClassifier(
        model, tokenizer=AutoTokenizer.from_pretrained(folder), rank=2, lr=0.01, **options
    )
    return net.fit(TEXTS, LABELS)


@pytest.mark.parametrize(("dropout", "used"), [(0.1, NAME), (0.0, "sdpa")])
def test_attention_of_training(tiny_bert, dropout, used):
    """Our own where it draws dropout, in one kernel otherwise, and in predictions."""
    watch = Watch()
    net = fitted(dropping_bert(tiny_bert, dropout), tiny_bert, callbacks=[watch])
    assert watch.attention == {used}
    assert net.module_.network.config._attn_implementation == "sdpa"
    assert net.merged_model().config._attn_implementation == "sdpa"


def test_attention_of_training_of_another_architecture(tiny_bert):
    """DistilBERT has another name for the dropout of attention."""
    config = DistilBertConfig(
        vocab_size=32, dim=16, n_layers=1, n_heads=2, hidden_dim=16, max_position_embeddings=32
    )
    watch = Watch()
    with torch.random.fork_rng():
        net = fitted(DistilBert(config), tiny_bert, callbacks=[watch])
    assert watch.attention == {NAME}
    assert net.module_.network.config._attn_implementation == "sdpa"


def test_attention_chosen_by_the_user_stays(tiny_bert):
    model = dropping_bert(tiny_bert)
    model.set_attn_implementation("eager")
    watch = Watch()
    net = fitted(model, tiny_bert, callbacks=[watch])
    assert watch.attention == {"eager"}
    assert net.module_.network.config._attn_implementation == "eager"


def test_attention_after_a_fit_that_fails(tiny_bert):
    class Fails(Callback):
        def on_epoch_end(self, net, **kwargs):
            if net.history_ and len(net.history_) == 3:
                raise RuntimeError("no more")

    net = fitted(dropping_bert(tiny_bert), tiny_bert, callbacks=[Fails()])
    with pytest.raises(RuntimeError, match="no more"):
        net.partial_fit(TEXTS, LABELS)
    assert net.module_.network.config._attn_implementation == "sdpa"


def test_all_modules_have_one_mode(tiny_bert):
    """A step trains, dropout included, also after a prediction in its middle."""
    watch = Watch()
    net = fitted(dropping_bert(tiny_bert), tiny_bert, callbacks=[watch])
    assert len(watch.modes) == 6
    assert all(modes == {True} for modes in watch.modes)
    once = net.decision_function(TEXTS)
    assert {m.training for m in net.module_.modules()} == {False}
    np.testing.assert_array_equal(net.decision_function(TEXTS), once)


def test_mode_changed_by_hand():
    """Where the wrapped network was set aside by hand, the next change of mode reaches it."""
    X, y = make_numbers()
    module = nn.Sequential(nn.Linear(4, 8), nn.Dropout(0.5), nn.Linear(8, 2))
    net = AlphaLoRANetClassifier(module, rank=2, max_epochs=1, random_state=0).fit(X, y)
    net.predict(X)
    net.module_.network.train()
    first = net.decision_function(X)
    np.testing.assert_array_equal(net.decision_function(X), first)


@pytest.mark.parametrize("other", ["foreach", None])
def test_fused_optimizers(other):
    """The same steps as PyTorch's plain ones; another way of PyTorch's is the user's choice."""
    X, y = make_numbers()
    options = {"rank": 2, "max_epochs": 3, "batch_size": 8, "lr": 0.01, "random_state": 0}
    asked = (
        {} if other is None else {f"optimizer__{other}": True, f"alpha_optimizer__{other}": True}
    )
    plain = {"optimizer__fused": False, "alpha_optimizer__fused": False}
    net = AlphaLoRANetClassifier(make_module(), **options, **asked).fit(X, y)
    for optimizer in (net.optimizer_, net.alpha_optimizer_):
        assert optimizer.defaults["fused"] == (other is None)
    expected = AlphaLoRANetClassifier(make_module(), **options, **plain).fit(X, y)
    np.testing.assert_allclose(
        net.decision_function(X), expected.decision_function(X), rtol=1e-4, atol=1e-5
    )


def test_another_optimizer_is_as_it_comes():
    X, y = make_numbers()
    options = {"optimizer": torch.optim.SGD, "rank": 2, "max_epochs": 1, "random_state": 0}
    net = AlphaLoRANetClassifier(make_module(), **options).fit(X, y)
    assert not net.optimizer_.defaults["fused"]
