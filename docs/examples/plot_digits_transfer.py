"""
From one pair of digits to another
==================================

A classifier can tell a 9 from a 0 on clean images. Does it help to tell a 3 from a 6 on noisy
images, of which only a few are labelled? The pixels are the same, and the strokes are similar: in
both pairs, one of the digits is open on the left.
"""

# %%
# Learning curves
# ---------------
# There are four ways to classify the target: the target alone, the source alone, fine-tuning with
# α = 1, and α chosen. All except the source alone are fitted on the same rows. (Without the noise,
# a few labels would be enough and no source would be needed.)
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.datasets import load_digits_transfer

digits = load_digits_transfer(source=(9, 0), target=(3, 6))
noise = np.random.default_rng(0).normal(scale=0.7, size=digits.X_target.shape)
X, y = digits.X_target / 16 + noise, digits.y_target
source = LogisticRegression(C=0.1).fit(digits.X_source / 16, digits.y_source)
models = {
    "target alone": AlphaTransferClassifier(),
    "fine-tuning, α = 1": AlphaTransferClassifier(source, alpha=1.0),
    "α chosen": AlphaTransferClassifier(source),
}

sizes = [4, 6, 10, 16, 25, 40, 63, 100]
accuracy = {name: np.zeros((20, len(sizes))) for name in models}
for draw in range(20):
    for column, n in enumerate(sizes):
        X_few, X_rest, y_few, y_rest = train_test_split(
            X, y, train_size=n, stratify=y, random_state=draw
        )
        for name, model in models.items():
            accuracy[name][draw, column] = model.fit(X_few, y_few).score(X_rest, y_rest)

_, ax = plt.subplots(figsize=(6.4, 3.8))
for name, values in accuracy.items():
    mean, error = values.mean(axis=0), values.std(axis=0) / np.sqrt(len(values))
    (line,) = ax.plot(sizes, mean, "o-", markersize=4, label=name)
    ax.fill_between(sizes, mean - error, mean + error, color=line.get_color(), alpha=0.2)
ax.axhline(source.score(X, y), color="0.35", linestyle="--", linewidth=1, label="source alone")
ax.set(xscale="log", xlabel="labelled rows of the target", ylabel="accuracy on all others")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
plt.show()

# %%
# Fine-tuning stays close to the source for almost all sizes, because the weights of the source are
# far too large for these images. With α chosen, the model is close to the source if there are few
# labels, and close to the target alone if there are many.
#
# The two parts of the model
# --------------------------
# The weights can be drawn as images. The fitted weights are the sum of the rescaled source and the
# adapter, w = α w̃ + a. Red pixels indicate a 6, blue pixels a 3.
few, _ = train_test_split(np.arange(len(y)), train_size=16, stratify=y, random_state=0)
model = AlphaTransferClassifier(source).fit(X[few], y[few])
rescaled = model.alpha_[0, 0] * model.source_coef_[0, 0]
parts = {
    f"α w̃, α = {model.alpha_[0, 0]:.2f}": rescaled,
    "adapter a": model.coef_[0] - rescaled,
    "w = α w̃ + a": model.coef_[0],
    "mean 6 − mean 3": X[y == 1].mean(axis=0) - X[y == 0].mean(axis=0),
}
_, axes = plt.subplots(1, 4, figsize=(8.5, 2.4))
for ax, (title, weights) in zip(axes, parts.items()):
    largest = np.abs(weights).max()
    ax.imshow(weights.reshape(8, 8), cmap="RdBu_r", vmin=-largest, vmax=largest)
    ax.set(title=title, xticks=[], yticks=[])
plt.show()
