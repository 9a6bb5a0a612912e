"""
Negative transfer, and how to see it
====================================

A source can do harm: fine-tuning it may be worse than a model of the target rows alone. In this
example the source changes from opposed to the target (β = −1) to unrelated (β = 0) and related
(β = 1).
"""

# %%
# The figure shows the gain over the target alone for 40 labelled rows. Fine-tuning uses the source
# unchanged. The chosen α shrinks an unrelated source, and reverses an opposed one (α < 0). This has
# a cost: near β = 0, where the source is useless, the chosen α loses a little.
import warnings

import matplotlib.pyplot as plt
import numpy as np

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.datasets import make_domain_transfer

warnings.filterwarnings("ignore", message="The labels contradict the source")  # they should here
betas, draws = np.linspace(-1, 1, 11), 12
gains = {"source alone": [], "fine-tuning, α = 1": [], "α chosen": []}
alphas = []
for beta in betas:
    here = {name: [] for name in gains}
    chosen = []
    for draw in range(draws):
        data = make_domain_transfer(n_target=40, beta=beta, random_state=draw)
        X, y, X_test, y_test = data.X_target, data.y_target, data.X_test, data.y_test
        alone = AlphaTransferClassifier().fit(X, y).score(X_test, y_test)
        w = 3 * data.source_mean
        here["source alone"].append(np.mean(np.sign(X_test @ w) == y_test) - alone)
        tuned = AlphaTransferClassifier(w, alpha=1.0).fit(X, y)
        here["fine-tuning, α = 1"].append(tuned.score(X_test, y_test) - alone)
        model = AlphaTransferClassifier(w).fit(X, y)
        here["α chosen"].append(model.score(X_test, y_test) - alone)
        chosen.append(model.alpha_[0, 0])
    alphas.append(chosen)
    for name, values in here.items():
        gains[name].append(np.mean(values))

_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), width_ratios=[1.4, 1])
for name, values in gains.items():
    left.plot(betas, 100 * np.array(values), "o-", markersize=4, label=name)
left.axhline(0, color="0.35", linewidth=1)
left.set(xlabel="β", ylabel="gain over the target alone, points")
left.legend()
right.plot(betas, alphas, ".", color="C2", alpha=0.3)
right.plot(betas, np.mean(alphas, axis=1), color="C2")
right.axhline(0, color="0.35", linewidth=1)
right.set(xlabel="β", ylabel="α chosen (dots: draws)")
plt.show()

# %%
# How to see it without a test set
# --------------------------------
# No rows have to be held out. With ``store_loo=True``, `loo_decision_function_` holds the decision
# value of each labelled row, computed with an adapter that was fitted without it. Compare its
# accuracy with that of the target alone and of the source alone.
data = make_domain_transfer(n_target=40, beta=-0.8, random_state=0)
source = 3 * data.source_mean
for name, model in {
    "target alone": AlphaTransferClassifier(store_loo=True),
    "fine-tuning": AlphaTransferClassifier(source, alpha=1.0, store_loo=True),
    "α chosen": AlphaTransferClassifier(source, store_loo=True),
}.items():
    model.fit(data.X_target, data.y_target)
    left_out = np.mean(np.sign(model.loo_decision_function_) == data.y_target)
    test = model.score(data.X_test, data.y_test)
    print(f"{name:12}  left-out rows {left_out:.2f}   test {test:.2f}")
