"""
The α path, and the theory's curve over it
==========================================

Random matrix theory predicts the accuracy of :math:`w(\\alpha, \\gamma)` for every α from the
means, the covariance and the sample sizes, before any row is drawn. This example compares the
prediction with fitted models, for sources that are more or less related to the target.
"""

# %%
# Theory and simulation
# ---------------------
# The target has p = 200 correlated features and n = 100 labelled rows. Its mean is β times the mean
# of the source plus an orthogonal part. `alpha_path` computes the accuracy at every α from one
# fit. The dots are means over 30 draws of the rows, with two standard errors.
import matplotlib.pyplot as plt
import numpy as np

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.theory import target_asymptotics

n, p, gamma = 100, 200, 1.0
covariance = 0.4 ** np.abs(np.subtract.outer(range(p), range(p)))
variances, axes = np.linalg.eigh(covariance)
root = (axes * np.sqrt(variances)) @ axes.T
rng = np.random.default_rng(0)
source, other = np.linalg.qr(rng.normal(size=(p, 2))).Q.T


def rows(n, mean):
    """Rows x = yμ + Σ^{1/2}z and their labels."""
    y = rng.permutation(np.repeat([-1, 1], n // 2))
    return y[:, None] * mean + rng.normal(size=(n, p)) @ root, y


_, ax = plt.subplots(figsize=(6.8, 4.2))
some, every = np.linspace(-2, 4, 13), np.linspace(-2, 4, 300)
for number, beta in enumerate((0.9, 0.5, 0.1)):
    mean = beta * source + 0.7 * other
    theory = target_asymptotics(mean, source, n_samples=n, gamma=gamma, covariance=covariance)
    scores = []
    for _ in range(30):
        model = AlphaTransferClassifier(source, alpha=1.0, gamma=gamma, fit_intercept=False)
        model.fit(*rows(n, mean))
        scores.append(model.alpha_path(*rows(2000, mean), alphas=some).scores)
    colour = f"C{number}"
    ax.plot(every, theory.accuracy(every), color=colour, label=f"β = {beta}")
    error = 2 * np.std(scores, axis=0) / np.sqrt(len(scores))
    ax.errorbar(some, np.mean(scores, axis=0), error, fmt="o", markersize=4, color=colour)
    best = theory.optimal_alpha
    ax.plot(best, theory.accuracy(best), "*", markersize=14, color=colour, markeredgecolor="black")
ax.axvline(1, color="0.35", linewidth=1, linestyle="--")
ax.annotate(" fine-tuning", (1, 0.42), color="0.35")
ax.set(xlabel="α", ylabel="accuracy on the target")
ax.legend(title="lines: theory\ndots: simulation\nstars: α*")
plt.show()

# %%
# One draw, without the theory
# ----------------------------
# In practice the means are unknown. The estimator chooses α and γ from the labelled rows, and
# `AlphaPathDisplay` shows how good the choice is on new rows.
from sklearn_alpha.inspection import AlphaPathDisplay

mean = 0.9 * source + 0.7 * other
model = AlphaTransferClassifier(source, selection="evidence").fit(*rows(n, mean))
AlphaPathDisplay.from_estimator(model, *rows(2000, mean))
plt.show()
