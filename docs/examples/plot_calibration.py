"""
Probabilities from leave-one-out
================================

Decision values are log odds up to one number, the inverse temperature β of softmax(βf). It is
chosen by the *leave-one-out* decision values, which have a closed form, and is drawn to the scale
of the source's own probabilities. No row is held out, and no model is refitted.
"""

# %%
# Left-out values look like those of new rows
# -------------------------------------------
# The values of fitted rows are too good, because the adapter has seen their labels. The
# leave-one-out values have the same distribution as those of the test rows.
import matplotlib.pyplot as plt
import numpy as np
from scipy.special import expit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.datasets import make_domain_transfer

data = make_domain_transfer(n_target=80, n_features=200, n_test=5000, random_state=2)
source = LogisticRegression(C=0.01).fit(data.X_source, data.y_source)
model = AlphaTransferClassifier(source, store_loo=True)
model.fit(data.X_target, data.y_target)

values = {
    "fitted rows": model.decision_function(data.X_target) * data.y_target,
    "the same, left out": model.loo_decision_function_ * data.y_target,
    "test rows": model.decision_function(data.X_test) * data.y_test,
}
_, axes = plt.subplots(3, 1, figsize=(6.4, 4.2), sharex=True)
bins = np.linspace(-4, 6, 41)
for number, (ax, (name, margins)) in enumerate(zip(axes, values.items())):
    ax.hist(margins, bins, density=True, color=f"C{number}", alpha=0.7)
    ax.axvline(np.mean(margins), color="black", linewidth=1)
    ax.set(yticks=[], ylabel=name.replace(", ", ",\n"))
axes[-1].set_xlabel("margin y f(x); the line is the mean")
plt.show()

# %%
# Reliability
# -----------
# A temperature that is fitted to the values of the training rows gives overconfident probabilities.
fitted = LogisticRegression(C=np.inf, fit_intercept=False)
fitted.fit(model.decision_function(data.X_target)[:, None], data.y_target)
decision = model.decision_function(data.X_test)
probabilities = {
    "from left-out rows (predict_proba)": model.predict_proba(data.X_test)[:, 1],
    "from fitted rows": expit(fitted.coef_[0, 0] * decision),
}
_, ax = plt.subplots(figsize=(4.6, 4.2))
ax.plot([0, 1], [0, 1], color="0.35", linewidth=1)
for name, probability in probabilities.items():
    observed, predicted = calibration_curve(data.y_test == 1, probability, n_bins=12)
    loss = log_loss(data.y_test, probability)
    ax.plot(predicted, observed, "o-", markersize=4, label=f"{name}\nlog loss {loss:.2f}")
ax.set(xlabel="predicted probability", ylabel="share of the class", aspect="equal")
ax.legend(fontsize="small")
plt.show()
