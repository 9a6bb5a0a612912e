"""
α-LoRA on a tiny transformer
============================

In a network, every adapted layer computes :math:`y = \\alpha \\odot (W x) + b + s\\,B A x`: the
rows of the frozen W are rescaled, and LoRA adapters are added. This example adapts a small
transformer from upright digits to rotated ones, and shows the learned α layer by layer.
"""

# %%
# An image is read as eight rows of eight pixels.
import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.inspection import AlphaLayersDisplay


class Block(nn.Module):
    """Self-attention with one head and a feed-forward layer, both residual."""

    def __init__(self, width):
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(width, width) for _ in range(3))
        self.up, self.down = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2))

    def forward(self, x):
        z = self.norms[0](x)
        scores = self.query(z) @ self.key(z).mT / z.shape[-1] ** 0.5
        x = x + scores.softmax(-1) @ self.value(z)
        return x + self.down(nn.functional.gelu(self.up(self.norms[1](x))))


class Reader(nn.Module):
    def __init__(self, width=32, depth=3):
        super().__init__()
        self.embed = nn.Linear(8, width)
        self.place = nn.Parameter(0.1 * torch.randn(8, width))
        self.blocks = nn.Sequential(*(Block(width) for _ in range(depth)))
        self.head = nn.Linear(8 * width, 10)

    def forward(self, x):
        x = self.embed(x.reshape(-1, 8, 8)) + self.place
        return self.head(self.blocks(x).flatten(1))


# %%
# The source is a transformer, of which all weights are trained on upright digits.
images, labels = load_digits(return_X_y=True)
old, new, y_old, y_new = train_test_split(
    images.astype("float32") / 16, labels, train_size=900, stratify=labels, random_state=0
)
torch.manual_seed(0)
torch.set_num_threads(1)
source = Reader()
optimizer = torch.optim.AdamW(source.parameters(), lr=3e-3)
for _ in range(15):
    for rows in torch.randperm(900).split(64):
        loss = nn.functional.cross_entropy(
            source(torch.tensor(old[rows])), torch.tensor(y_old[rows])
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

# %%
# The target is digits rotated by 90 degrees, and 300 of them are labelled. One network learns α.
# The other has α = 1, which is LoRA. Both have adapters of rank two.
new = np.rot90(new.reshape(-1, 8, 8), axes=(1, 2)).reshape(-1, 64).copy()
few, rest, y_few, y_rest = train_test_split(
    new, y_new, train_size=300, stratify=y_new, random_state=0
)
nets = {
    name: AlphaLoRANetClassifier(
        source,
        rank=2,
        alpha=alpha,
        alpha_lr=2e-2,
        lr=1e-2,
        max_epochs=8,
        batch_size=32,
        random_state=0,
    ).fit(few, y_few)
    for name, alpha in {"α learned": "learn", "LoRA, α = 1": 1.0}.items()
}
for name, net in nets.items():
    print(f"{name:12}  accuracy {net.score(rest, y_rest):.3f}")

# %%
# α by layer
# ----------
# All α start at the same value, which is chosen by the leave-one-out predictions of a linear probe
# of the frozen network: ½ if the source is overconfident, 1 otherwise. Thin lines show the range
# over the rows of a layer, thick lines connect the quartiles.
display = AlphaLayersDisplay.from_estimator(nets["α learned"])
plt.show()

# %%
# The training loss of both networks:
_, ax = plt.subplots(figsize=(6.4, 3.2))
for name, net in nets.items():
    ax.plot(net.history_[:, "epoch"], net.history_[:, "train_loss"], label=name)
ax.set(xlabel="epoch", ylabel="training loss", yscale="log")
ax.legend()
plt.show()
