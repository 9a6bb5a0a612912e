"""Training steps of a transformer on rows of equal length: plain LoRA, and the estimator."""

import tempfile

import numpy as np

from benchmarks._data.embeddings import minilm_path

BATCH_SIZE = 16
REFERENCE = "LoRA, plain loop"
SAME_BATCH, HELD_OUT = "α on the same batch", "α held out, T = 10"
# Options of the estimator for each way to learn α.
WAYS = {
    "estimator, α = 1": {"alpha": 1.0},
    SAME_BATCH: {},
    HELD_OUT: {"alpha_split": 0.5, "alpha_every": 10},
}


def random_transformer(layers):
    """Folder of a BERT of MiniLM's width with random weights and MiniLM's tokenizer."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tempfile.mkdtemp()
    config = BertConfig.from_pretrained(minilm_path(), num_hidden_layers=layers)
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm_path()).save_pretrained(folder)
    return folder


def equal_rows(n, tokens):
    """`n` texts of equally many tokens, and labels."""
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "film", "book", "very", "not", "the", "plot"])
    texts = [" ".join(rng.choice(words, size=tokens - 2)) for _ in range(n)]
    return texts, np.arange(n) % 2


def equal_batches(folder, X, y):
    """Batches of these rows in turn, without end, in the form that the estimator gives them."""
    import torch
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(X, return_tensors="pt")
    y, weights = torch.as_tensor(y), torch.ones(BATCH_SIZE)
    while True:
        for i in range(0, len(y), BATCH_SIZE):
            part = slice(i, i + BATCH_SIZE)
            yield ({name: t[part] for name, t in tokens.items()}, weights), y[part]


def estimator_step(folder, X, y, **options):
    """`train_step` of an estimator that is initialised for these rows."""
    from sklearn_alpha import AlphaLoRANetClassifier
    from sklearn_alpha.neural_network._held_out import HeldOutAlpha

    net = AlphaLoRANetClassifier(
        folder, max_epochs=0, batch_size=BATCH_SIZE, random_state=0, **options
    ).fit(X, y)
    net.held_out_ = HeldOutAlpha(net.get_dataset(X))
    return net.train_step


def lora_network(folder):
    """PEFT's LoRA on a pretrained model."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    network = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    return get_peft_model(network, LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=8)).train()


def plain_step(network):
    """A step of a network in plain PyTorch."""
    import torch

    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)

    def step(batch):
        (inputs, _), codes = batch
        loss = torch.nn.functional.cross_entropy(network(**inputs).logits, codes)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step
