"""What α costs beside plain LoRA, and what batches of alike lengths save: time.

Steps: a transformer of MiniLM's width with 4, 6 and 12 layers on batches of equal length, as a
plain PyTorch loop over PEFT's LoRA and through the estimator with α held at 1, learned on the same
batch, and learned on held-out batches of equal size every tenth step. Rows: milliseconds for a
training row and for a predicted row of SST-2 (also of more rows, which are easier to group by
length) and of whole reviews, padded to max_length, by transformers' Trainer with length grouping,
and by the estimator.
All in one process, one thread, interleaved, each round in another order; what is reported are
medians of ratios to the same round's reference. Memory is measured by `memory`.
"""

import sys
import tempfile
import time
import warnings

import numpy as np
import pandas as pd

from benchmarks import glue
from benchmarks._data import amazon_texts
from benchmarks._nets import minilm_path
from benchmarks._runner import write_results

T = 10
REFERENCE = "LoRA, plain loop"
# Estimator options of each way to learn α.
WAYS = {
    "estimator, α = 1": {"alpha": 1.0},
    "α on the same batch": {},
    "α held out, T = 10": {"alpha_split": 0.5, "alpha_every": T},
}
BATCH_SIZE = 16


def add_arguments(parser):
    """Add what is measured and how often."""
    parser.add_argument("--layers", type=int, nargs="+", default=[4, 6, 12], help="model sizes")
    parser.add_argument("--tokens", type=int, default=32, help="tokens of each row in the steps")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved rounds")
    parser.add_argument(
        "--rows", type=int, nargs="+", default=[256, 2048], help="of SST-2; reviews: the first"
    )


def main(args):
    """Measure and write the tables."""
    import torch

    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    cases = [("SST-2", n) for n in args.rows] + [("reviews", args.rows[0])]
    texts = {f"{task}, {n} rows": read(task, n) for task, n in cases}  # missing ones show now
    frames = [steps(layers, args) for layers in args.layers]
    frames += [rows(case, *data, args) for case, data in texts.items()]
    frame = pd.concat(frames, ignore_index=True)
    table = markdown(frame)
    print(table)
    write_results(frame, "overhead", out=args.out, config=args, table=table)


# ---------------------------------------------------------------- steps


def random_transformer(layers):
    """Folder of a BERT of MiniLM's width with random weights and MiniLM's tokenizer."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification

    folder = tempfile.mkdtemp()
    config = BertConfig.from_pretrained(minilm_path(), num_hidden_layers=layers)
    BertForSequenceClassification(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(minilm_path()).save_pretrained(folder)
    return folder


def equal_rows(n, tokens):
    """Texts of as many tokens each, and labels."""
    rng = np.random.default_rng(0)
    words = np.array(["good", "bad", "film", "book", "very", "not", "the", "plot"])
    texts = [" ".join(rng.choice(words, size=tokens - 2)) for _ in range(n)]
    return texts, np.arange(n) % 2


def equal_batches(folder, X, y):
    """Batches of these rows in turn, without end, as the estimator makes them."""
    import torch
    from transformers import AutoTokenizer

    tokens = AutoTokenizer.from_pretrained(folder)(X, return_tensors="pt")
    y, weights = torch.as_tensor(y), torch.ones(BATCH_SIZE)
    while True:
        for i in range(0, len(y), BATCH_SIZE):
            part = slice(i, i + BATCH_SIZE)
            yield ({name: t[part] for name, t in tokens.items()}, weights), y[part]


def ready_step(folder, X, y, **options):
    """`train_step` of an estimator that is initialised for these rows."""
    from sklearn_alpha import AlphaLoRANetClassifier
    from sklearn_alpha.neural_network._held_out import HeldOutAlpha

    net = AlphaLoRANetClassifier(
        folder, max_epochs=0, batch_size=BATCH_SIZE, random_state=0, **options
    ).fit(X, y)
    net.held_out_ = HeldOutAlpha(net.get_dataset(X))
    return net.train_step


def plain_step(folder):
    """A step of PEFT's LoRA in plain PyTorch, and the network."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForSequenceClassification

    network = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=2)
    network = get_peft_model(network, LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=8)).train()
    trained = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=1e-3)

    def step(batch):
        (inputs, _), codes = batch
        loss = torch.nn.functional.cross_entropy(network(**inputs).logits, codes)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    return step, network


def steps(layers, args):
    """Seconds of T steps, by round and way."""
    folder = random_transformer(layers)
    X, y = equal_rows(4 * BATCH_SIZE, args.tokens)
    batches = equal_batches(folder, X, y)
    ways = {REFERENCE: plain_step(folder)[0]}
    ways |= {way: ready_step(folder, X, y, **options) for way, options in WAYS.items()}
    for step in ways.values():  # a warm-up; any T steps in a row have one of a held-out α
        step(next(batches))
    seconds, rng = [], np.random.default_rng(0)
    for turn in range(args.rounds):
        drawn = [next(batches) for _ in range(T)]
        for way in rng.permutation(list(ways)):
            start = time.process_time()
            for batch in drawn:
                ways[way](batch)
            seconds.append((turn, way, time.process_time() - start))
        print(f"steps, {layers} layers: round {turn + 1} of {args.rounds}", file=sys.stderr)
    frame = in_order(pd.DataFrame(seconds, columns=["round", "way", "value"]), ways)
    return frame.assign(what="step", case=f"{layers} layers")


def in_order(frame, ways):
    """Rows by way, in the order of the table."""
    place = {way: i for i, way in enumerate(ways)}
    return frame.sort_values("way", key=lambda way: way.map(place), kind="stable")


# ---------------------------------------------------------------- rows


def read(task, n):
    """Texts, labels and the max_length of a task."""
    if task == "reviews":
        reviews = amazon_texts("books")
        chosen = np.random.default_rng(0).permutation(len(reviews.data))[:n]
        return [reviews.data[i] for i in chosen], reviews.target[chosen], 256
    X, y = glue.load("SST-2", "train", hub=False)
    return list(X[:n]), np.asarray(y[:n]), 128


def rows(case, X, y, max_length, args):
    """Milliseconds for a row, in training (one epoch) and in prediction, by round and way."""
    ways = {
        "padded to max_length": Padded(minilm_path(), X, y, max_length),
        "Trainer, grouped by length": Grouped(minilm_path(), X, y, max_length),
        "α on the same batch": Estimator(minilm_path(), X, y, max_length),
    }
    milliseconds, rng = [], np.random.default_rng(0)
    for turn in range(max(2, args.rounds - 2)):
        for way in rng.permutation(list(ways)):
            trained = ways[way]
            for what, run in (("training row", trained.train), ("predicted row", trained.predict)):
                start = time.process_time()
                n = run()
                milliseconds.append((turn, way, what, 1e3 * (time.process_time() - start) / n))
        print(f"{case}: round {turn + 1}", file=sys.stderr)
    frame = pd.DataFrame(milliseconds, columns=["round", "way", "what", "value"])
    return in_order(frame, ways).assign(case=case)


class Padded:
    """A plain loop over batches padded to max_length, on a few of the rows: all cost alike."""

    def __init__(self, model, X, y, max_length):
        from transformers import AutoTokenizer

        n = min(len(X), 4 * BATCH_SIZE)
        self.step, self.network = plain_step(model)
        tokens = AutoTokenizer.from_pretrained(model)(
            X[:n], truncation=True, max_length=max_length, padding="max_length", return_tensors="pt"
        )
        self.batches = [
            (({name: t[i : i + BATCH_SIZE] for name, t in tokens.items()}, None), _codes(y, i))
            for i in range(0, n, BATCH_SIZE)
        ]
        self.n = n

    def train(self):
        self.network.train()
        for batch in self.batches:
            self.step(batch)
        return self.n

    def predict(self):
        import torch

        self.network.eval()
        with torch.inference_mode():
            for (inputs, _), _ in self.batches:
                self.network(**inputs)
        return self.n


def _codes(y, i):
    import torch

    return torch.as_tensor(y[i : i + BATCH_SIZE])


class Grouped:
    """transformers' Trainer with plain LoRA and length grouping."""

    def __init__(self, model, X, y, max_length):
        from peft import LoraConfig, get_peft_model
        from transformers import AutoModelForSequenceClassification, AutoTokenizer

        self.tokenizer = AutoTokenizer.from_pretrained(model)
        tokens = self.tokenizer(X, truncation=True, max_length=max_length)
        self.rows = [
            {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": int(label)}
            for ids, label in zip(tokens["input_ids"], y)
        ]
        network = AutoModelForSequenceClassification.from_pretrained(model, num_labels=2)
        config = LoraConfig(task_type="SEQ_CLS", r=8, lora_alpha=8)
        self.network = get_peft_model(network, config)

    def trainer(self):
        from transformers import DataCollatorWithPadding, Trainer, TrainingArguments

        options = TrainingArguments(
            output_dir=tempfile.mkdtemp(),
            per_device_train_batch_size=BATCH_SIZE,
            per_device_eval_batch_size=BATCH_SIZE,
            num_train_epochs=1,
            learning_rate=1e-3,
            train_sampling_strategy="group_by_length",
            use_cpu=True,
            disable_tqdm=True,
            report_to=[],
            save_strategy="no",
            logging_strategy="no",
        )
        collate = DataCollatorWithPadding(self.tokenizer)
        return Trainer(self.network, options, train_dataset=self.rows, data_collator=collate)

    def train(self):
        self.trainer().train()
        return len(self.rows)

    def predict(self):
        self.trainer().predict(self.rows)
        return len(self.rows)


class Estimator:
    """The estimator as it comes, tokenisation included."""

    def __init__(self, model, X, y, max_length):
        from sklearn_alpha import AlphaLoRANetClassifier

        self.net = AlphaLoRANetClassifier(
            model, max_length=max_length, batch_size=BATCH_SIZE, max_epochs=1, warm_start=True
        ).fit(X[:BATCH_SIZE], y[:BATCH_SIZE])
        self.X, self.y = X, y

    def train(self):
        self.net.fit(self.X, self.y)
        return len(self.X)

    def predict(self):
        self.net.predict_proba(self.X)
        return len(self.X)


# ---------------------------------------------------------------- tables


def ratios(frame):
    """Median over the rounds of each way's ratio to the same round's reference."""
    key = ["what", "case", "round"]
    parts = []
    for what, group in frame.groupby("what", sort=False):
        against = REFERENCE if what == "step" else "α on the same batch"
        base = group[group.way == against].set_index(key).value
        ratio = group.value / group[key].join(base, on=key, rsuffix="_of").value
        part = group.assign(ratio=ratio).groupby(["what", "case", "way"], sort=False)
        parts.append(part.agg(value=("value", "median"), ratio=("ratio", "median")).reset_index())
    return pd.concat(parts, ignore_index=True)


def markdown(frame):
    """Ratios, a table for each thing that was measured."""
    text = ["# overhead"]
    titles = {
        "step": f"Time of a training step, as a ratio to {REFERENCE}",
        "training row": "Milliseconds for a training row (ratio to α on the same batch)",
        "predicted row": "Milliseconds for a predicted row (ratio to α on the same batch)",
    }
    for what, group in ratios(frame).groupby("what", sort=False):
        cell = group.ratio.map("{:.3f}".format)
        if what != "step":
            cell = group.value.map("{:.1f}".format) + " (" + group.ratio.map("{:.2f}".format) + ")"
        table = group.assign(cell=cell).pivot(index="way", columns="case", values="cell")
        table = table.loc[group.way.unique(), group.case.unique()]
        table.columns.name = None
        text += [f"## {titles[what]}", table.to_markdown(stralign="left", disable_numparse=True)]
    return "\n\n".join(text)
