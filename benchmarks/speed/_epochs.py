"""Three ways to train on texts of unequal length, and to predict; each returns how many rows."""

import tempfile

from benchmarks.speed._steps import BATCH_SIZE, lora_network, plain_step


class Padded:
    """A plain loop over batches padded to max_length, on a few rows, as all cost the same."""

    def __init__(self, model, X, y, max_length):
        import torch
        from transformers import AutoTokenizer

        n = min(len(X), 4 * BATCH_SIZE)
        self.network = lora_network(model)
        self.step = plain_step(self.network)
        tokens = AutoTokenizer.from_pretrained(model)(
            X[:n], truncation=True, max_length=max_length, padding="max_length", return_tensors="pt"
        )
        parts = [slice(i, i + BATCH_SIZE) for i in range(0, n, BATCH_SIZE)]
        self.batches = [
            (({name: t[part] for name, t in tokens.items()}, None), torch.as_tensor(y[part]))
            for part in parts
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


class Grouped:
    """transformers' Trainer with plain LoRA and batches of similar lengths."""

    def __init__(self, model, X, y, max_length):
        from transformers import AutoTokenizer

        self.network = lora_network(model)
        self.tokenizer = AutoTokenizer.from_pretrained(model)
        tokens = self.tokenizer(X, truncation=True, max_length=max_length)
        self.rows = [
            {"input_ids": ids, "attention_mask": [1] * len(ids), "labels": int(label)}
            for ids, label in zip(tokens["input_ids"], y)
        ]

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
    """The estimator with its defaults, tokenisation included."""

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
