"""
Several sources, each with its own α
====================================

There are models of three other domains. One domain is close to the target, one is less close, and
one is unrelated. Each source in a list has its own α, so no source has to be excluded in advance.
"""

# %%
# The share of each source
# ------------------------
# `SourceContributionDisplay` splits the variance of the decision values among the sources and the
# adapter. With 40 rows, most of it comes from the two related sources.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.datasets import make_domain_transfer
from sklearn_alpha.inspection import SourceContributionDisplay

names = ["close", "distant", "unrelated"]
data = make_domain_transfer(n_target=1000, n_sources=3, beta=[0.8, 0.4, 0.0], random_state=0)
sources = [
    LogisticRegression(C=0.01).fit(X, y) for X, y in zip(data.X_source, data.y_source, strict=True)
]
model = AlphaTransferClassifier(sources).fit(data.X_target[:40], data.y_target[:40])
SourceContributionDisplay.from_estimator(model, data.X_test, source_names=names)
plt.show()

# %%
# The effect of more labels
# -------------------------
# With more rows, the adapter learns the part of the target that the sources do not contain. The
# dashed lines are the scores of the three sources alone. From about thirty rows on, the list is
# better than the best of them, which need not be known.
sizes = np.unique(np.geomspace(10, 1000, 15).astype(int))
shares, accuracy = [], []
for n in sizes:
    model.fit(data.X_target[:n], data.y_target[:n])
    display = SourceContributionDisplay.from_estimator(model, data.X_test, ax=plt.figure().gca())
    plt.close(display.figure_)
    shares.append(display.shares[0])
    accuracy.append(model.score(data.X_test, data.y_test))

_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6))
left.stackplot(sizes, np.clip(shares, 0, None).T, labels=[*names, "adapter"])
left.set(xlabel="labelled rows", ylabel="share of the variance", xscale="log", ylim=(0, 1.05))
left.legend(loc="lower left")
right.plot(sizes, accuracy, "o-", markersize=4, color="black", label="list of three")
for number, (name, source) in enumerate(zip(names, sources)):
    score = source.score(data.X_test, data.y_test)
    right.axhline(score, color=f"C{number}", linestyle="--", label=f"{name}, alone")
right.set(xlabel="labelled rows", ylabel="accuracy on the target", xscale="log")
right.legend()
plt.show()
