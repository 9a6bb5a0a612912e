"""Tiny random transformers of many architectures: fits, padding, and the longest text."""

import numpy as np
import pytest
import torch
import transformers
from numpy.testing import assert_allclose
from tokenizers.processors import TemplateProcessing

from sklearn_alpha import AlphaLoRANetClassifier
from tests.neural_network.conftest import make_texts, words_only

X, Y = make_texts(24)
VOCABULARY = {"vocab_size": 40}
ENCODER = {
    **VOCABULARY,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 40,
}
DECODER = {**ENCODER, "num_key_value_heads": 1, "max_position_embeddings": 64, "pad_token_id": 0}
GPT_NEO = {"num_layers": 2, "num_heads": 2, "attention_types": [[["global"], 2]]}
OPT = {"num_hidden_layers": 2, "num_attention_heads": 2, "ffn_dim": 32, "word_embed_proj_dim": 16}
T5 = {"d_model": 16, "d_kv": 8, "num_heads": 2, "num_layers": 2, "d_ff": 32, "pad_token_id": 0}
BART = {f"{part}_layers": 1 for part in ("encoder", "decoder")}
BART |= {f"{part}_attention_heads": 2 for part in ("encoder", "decoder")}
BART |= {f"{part}_ffn_dim": 32 for part in ("encoder", "decoder")}
FUNNEL = {"block_sizes": [1, 1], "d_model": 16, "n_head": 2, "d_head": 8, "d_inner": 32}
ROTATED = {"relative_attention": True, "pos_att_type": ["c2p", "p2c"]}
# The configuration's class and options.
CONFIGS = {
    "albert": ("Albert", ENCODER | {"embedding_size": 8}),
    "bart": ("Bart", VOCABULARY | BART | {"d_model": 16, "eos_token_id": 1, "pad_token_id": 0}),
    "bigbird": ("BigBird", ENCODER | {"attention_type": "original_full"}),
    "deberta-v2": ("DebertaV2", ENCODER | ROTATED),
    "distilbert": (
        "DistilBert",
        VOCABULARY | {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32},
    ),
    "electra": ("Electra", ENCODER | {"embedding_size": 8}),
    "ernie": ("Ernie", ENCODER),
    "eurobert": ("EuroBert", DECODER),
    "funnel": ("Funnel", VOCABULARY | FUNNEL),
    "gemma2": ("Gemma2", DECODER | {"head_dim": 8}),
    "gpt2": ("GPT2", VOCABULARY | {"n_embd": 16, "n_layer": 2, "n_head": 2}),
    "gpt-neo": ("GPTNeo", VOCABULARY | GPT_NEO | {"hidden_size": 16, "pad_token_id": 0}),
    "llama": ("Llama", DECODER),
    "longformer": ("Longformer", ENCODER | {"attention_window": 4, "pad_token_id": 1}),
    "mistral": ("Mistral", DECODER),
    "modernbert": ("ModernBert", ENCODER | {"pad_token_id": 0}),
    "mpnet": ("MPNet", ENCODER | {"pad_token_id": 1}),
    "opt": ("OPT", VOCABULARY | OPT | {"hidden_size": 16, "pad_token_id": 0}),
    "phi3": ("Phi3", DECODER),
    "qwen2": ("Qwen2", DECODER),
    "qwen3": ("Qwen3", DECODER | {"head_dim": 8}),
    "roberta": ("Roberta", ENCODER | {"pad_token_id": 1}),
    "t5": ("T5", VOCABULARY | T5 | {"decoder_start_token_id": 0, "eos_token_id": 1}),
    "xlnet": ("XLNet", VOCABULARY | {"d_model": 16, "n_layer": 2, "n_head": 2, "d_inner": 32}),
}
OPTIONS = {"max_epochs": 1, "rank": 2, "batch_size": 8, "random_state": 0}
# The probe of a random network magnifies rounding.
OPTIONS |= {"callbacks__linear_probe": None}


def make_model(kind, options):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        config = getattr(transformers, f"{kind}Config")(**options)
        return transformers.AutoModelForSequenceClassification.from_config(config)


def make_tokenizer(**options):
    """Words, and an end token after each text."""
    options = {"pad_token": "?", "unk_token": "?", "eos_token": "end", **options}
    tokenizer = words_only(**options)
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="$A end", special_tokens=[("end", 1)]
    )
    tokenizer.model_input_names = ["input_ids", "attention_mask"]
    return tokenizer


SIDES = [*((name, "left") for name in CONFIGS), ("xlnet", "right")]


@pytest.mark.parametrize(("name", "side"), SIDES)
def test_predictions_do_not_depend_on_padding(name, side):
    """Also where the tokenizer pads the wrong side: left for most, right for XLNet."""
    tokenizer = make_tokenizer(padding_side=side)
    net = AlphaLoRANetClassifier(make_model(*CONFIGS[name]), tokenizer=tokenizer, **OPTIONS)
    net.fit(X, Y)
    assert net.alpha_
    together = net.decision_function(X)
    alone = [net.decision_function([x])[0] for x in X]
    assert np.ptp(together) > 0
    assert_allclose(alone, together, atol=1e-3 * np.abs(together).max())
    assert tokenizer.padding_side == side  # the user's is not changed


RELATIVES = ["Camembert", "Data2VecText", "Longformer", "Luke", "MPNet", "Roberta"]
RELATIVES += ["RobertaPreLayerNorm", "XLMRoberta", "XLMRobertaXL", "Xmod"]


@pytest.mark.parametrize("kind", [*RELATIVES, "Bert", "Electra"])
def test_the_longest_text(kind):
    """Positions of RoBERTa and its relatives begin after their padding token."""
    more = {"attention_window": 4} if kind == "Longformer" else {}
    more |= {"default_language": "en_XX"} if kind == "Xmod" else {}
    more |= {"entity_vocab_size": 3, "entity_emb_size": 4} if kind == "Luke" else {}
    model = make_model(kind, ENCODER | {"pad_token_id": 1} | more)
    tokenizer = make_tokenizer(pad_token="end", eos_token="?", model_max_length=10**30)
    net = AlphaLoRANetClassifier(model, tokenizer=tokenizer, **OPTIONS)
    net.set_params(target_modules="all-linear").fit(X, Y)
    assert net.longest_ == (38 if kind in RELATIVES else 40)
    with pytest.warns(UserWarning, match=f"1 of 1 texts are longer than the {net.longest_} tokens"):
        assert np.isfinite(net.decision_function(["good " * 60])).all()


def test_the_padding_token_of_the_configuration():
    """The end token would hide the ends of texts from a decoder."""
    model = make_model("Llama", DECODER | {"pad_token_id": 2})
    net = AlphaLoRANetClassifier(model, tokenizer=make_tokenizer(pad_token=None), **OPTIONS)
    net.fit(X, Y)
    assert net.tokenizer_.pad_token_id == net.module_.network.config.pad_token_id == 2
