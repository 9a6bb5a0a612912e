"""Two small networks for images of 8 x 8 pixels, and their training in full on a source."""

import torch
from skorch import NeuralNetClassifier
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """Self-attention and a perceptron, each on normed inputs and with a residual."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm, self.norm_out = nn.LayerNorm(width), nn.LayerNorm(width)
        self.query, self.key, self.value, self.output = (nn.Linear(width, width) for _ in range(4))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x):
        rows, tokens, width = x.shape
        normed = self.norm(x)
        query, key, value = (
            layer(normed).view(rows, tokens, self.heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        mixed = functional.scaled_dot_product_attention(query, key, value)
        x = x + self.output(mixed.transpose(1, 2).reshape(rows, tokens, width))
        return x + self.down(functional.relu(self.up(self.norm_out(x))))


class DigitTransformer(nn.Module):
    """A token for each row of the image; logits from the mean of the tokens."""

    def __init__(self, n_classes, width=32, heads=4, n_blocks=1):
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.position = nn.Parameter(0.02 * torch.randn(8, width))
        self.blocks = nn.Sequential(*(Block(width, heads) for _ in range(n_blocks)))
        self.head = nn.Linear(width, n_classes)

    def forward(self, X):
        tokens = self.embed(X.view(-1, 8, 8)) + self.position
        return self.head(self.blocks(tokens).mean(dim=1))


class DigitPerceptron(nn.Sequential):
    """Two hidden layers."""

    def __init__(self, n_classes, width=64):
        super().__init__(
            nn.Linear(64, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, n_classes),
        )


ARCHITECTURES = {"transformer": DigitTransformer, "perceptron": DigitPerceptron}


def pretrain(network, X, y, seed, epochs=30):
    """Train all weights of a new network; returns skorch's classifier."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NeuralNetClassifier(
            ARCHITECTURES[network],
            module__n_classes=y.max() + 1,
            criterion=nn.CrossEntropyLoss,
            optimizer=torch.optim.AdamW,
            lr=3e-3,
            batch_size=64,
            iterator_train__shuffle=True,
            max_epochs=epochs,
            train_split=None,
            verbose=0,
        ).fit(X, y)
