"""
Ten classes, of which a few rows show some
==========================================

A digit classifier was trained on the images of one scanner. The images of a second scanner are
shifted by half a pixel, blurred and noisy. A few of them are labelled as they come, not so many of
each class, so that some digits have no label at all. The source knows all ten.
"""

# %%
# The source is fitted on 900 clean images. The target consists of the other images, as the second
# scanner sees them.
import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter, shift
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
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
# A class without rows
# --------------------
# Ten random images show only some of the digits. The classes of the model are nevertheless those of
# the source: a digit without a labelled image keeps the source's row and a probability. With
# ``classes="target"`` the model would know only the digits that have a label.
new = new.reshape(-1, 64)
source = LogisticRegression(C=1.0, max_iter=1000).fit(old, y_old)
few = np.random.default_rng(0).permutation(len(new))[:10]
model = AlphaTransferClassifier(source).fit(new[few], y_new[few])
missing = np.setdiff1d(model.classes_, y_new[few])
of_missing = np.isin(y_new, missing)
print(f"labelled: {np.unique(y_new[few])}, classes of the model: {model.classes_}")
print(
    f"accuracy on the digits without a label: {model.score(new[of_missing], y_new[of_missing]):.2f}"
)

# %%
# Learning curves
# ---------------
# All methods are fitted on the same random images and scored on all others. The target alone gives
# no probability to a digit that it has not seen, so that its log loss would be infinite. The right
# figure therefore shows the other three.
models = {
    "target alone": AlphaTransferClassifier(),
    "fine-tuning, α = 1": AlphaTransferClassifier(source, alpha=1.0, classes=range(10)),
    "α chosen": AlphaTransferClassifier(source),
}
sizes, draws = [5, 10, 20, 40, 80, 160, 320], 5
accuracy = {name: np.zeros((draws, len(sizes))) for name in models}
loss = {name: np.zeros((draws, len(sizes))) for name in [*models][1:]}
for draw in range(draws):
    order = np.random.default_rng(draw).permutation(len(new))
    for column, n in enumerate(sizes):
        few, rest = order[:n], order[n:]
        for name, model in models.items():
            model.fit(new[few], y_new[few])
            accuracy[name][draw, column] = model.score(new[rest], y_new[rest])
            if name in loss:
                loss[name][draw, column] = log_loss(y_new[rest], model.predict_proba(new[rest]))

_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
for name, values in accuracy.items():
    left.plot(sizes, values.mean(axis=0), "o-", markersize=4, label=name)
for number, (name, values) in enumerate(loss.items(), 1):
    right.plot(sizes, values.mean(axis=0), "o-", markersize=4, color=f"C{number}", label=name)
for ax, score in (
    (left, source.score(new, y_new)),
    (right, log_loss(y_new, source.predict_proba(new))),
):
    ax.axhline(score, color="0.35", linestyle="--", linewidth=1, label="source alone")
    ax.set(xscale="log", xlabel="labelled images of the target")
    ax.set_xticks(sizes, sizes)
    ax.minorticks_off()
left.set(ylabel="accuracy on all others")
left.legend()
right.set(ylabel="log loss on all others", ylim=(0, None))
plt.show()
