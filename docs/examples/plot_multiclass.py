"""
Ten classes, an α for each
==========================

A digit classifier was trained on the images of one scanner. The images of a second scanner are
shifted by half a pixel, blurred and noisy. Some digits look the same as before and others do not,
so each class has its own α.
"""

# %%
# The source is fitted on 900 clean images. The target consists of the other images, as the second
# scanner sees them.
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter, shift
from sklearn.datasets import load_digits
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from sklearn_alpha import AlphaTransferClassifier

images, labels = load_digits(return_X_y=True)
old, new, y_old, y_new = train_test_split(
    images / 16, labels, train_size=900, stratify=labels, random_state=0
)
new = np.array([gaussian_filter(shift(x, (0, 0.5)), 0.5) for x in new.reshape(-1, 8, 8)])
new += np.random.default_rng(0).normal(scale=0.15, size=new.shape)

_, axes = plt.subplots(2, 8, figsize=(8, 2.2))
for column in range(8):
    axes[0, column].imshow(old[column].reshape(8, 8), cmap="gray_r")
    axes[1, column].imshow(new[column], cmap="gray_r")
for ax in axes.flat:
    ax.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("source")
axes[1, 0].set_ylabel("target")
plt.show()

# %%
# All methods improve with more labelled images of the target. The curves show how fast.
new = new.reshape(-1, 64)
source = FrozenEstimator(LogisticRegression(C=1.0, max_iter=1000).fit(old, y_old))
models = {
    "target alone": AlphaTransferClassifier(),
    "fine-tuning, α = 1": AlphaTransferClassifier(source, alpha=1.0),
    "α chosen": AlphaTransferClassifier(source),
}
sizes, draws = [20, 40, 80, 160, 320], 5
accuracy = {name: np.zeros((draws, len(sizes))) for name in models}
alphas = np.zeros((draws, 10))
for draw in range(draws):
    for column, n in enumerate(sizes):
        X_few, X_rest, y_few, y_rest = train_test_split(
            new, y_new, train_size=n, stratify=y_new, random_state=draw
        )
        for name, model in models.items():
            accuracy[name][draw, column] = model.fit(X_few, y_few).score(X_rest, y_rest)
        if n == 80:
            alphas[draw] = models["α chosen"].alpha_[:, 0]

_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1.3, 1])
for name, values in accuracy.items():
    left.plot(sizes, values.mean(axis=0), "o-", markersize=4, label=name)
score = source.score(new, y_new)
left.axhline(score, color="0.35", linestyle="--", linewidth=1, label="source alone")
left.set(xscale="log", xlabel="labelled images of the target", ylabel="accuracy on all others")
left.set_xticks(sizes, sizes)
left.minorticks_off()
left.legend()
right.bar(range(10), alphas.mean(axis=0), yerr=alphas.std(axis=0), color="C2", ecolor="0.35")
right.set(xlabel="class", ylabel="α, 80 labelled images", xticks=range(10))
plt.show()
