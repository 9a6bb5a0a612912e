"""
The scale of a source is an accident
====================================

Fine-tuning starts from a source as it is (:math:`\\alpha = 1`). But how long the source's weights
are depends on the penalty that it was fitted under, and says nothing of the target. Two sources may
point the same way, and fine-tuning will use one of them and all but ignore the other.

With :math:`\\alpha` chosen from the labelled rows the scale drops out.
"""

# %%
# One source, fitted on a thousand rows of another domain, and 30 labelled rows of the target. The
# source is multiplied by numbers between a hundredth and a hundred.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.datasets import make_domain_transfer

scales = np.geomspace(0.01, 100, 21)
accuracy = {"fine-tuning, α = 1": [], "α chosen": []}
for seed in range(10):
    data = make_domain_transfer(n_target=30, beta=0.9, random_state=seed)
    source = LogisticRegression(C=0.1).fit(data.X_source, data.y_source)
    for name, alpha in zip(accuracy, (1.0, "auto")):
        accuracy[name].append(
            [
                AlphaTransferClassifier(scale * source.coef_, alpha=alpha)
                .fit(data.X_target, data.y_target)
                .score(data.X_test, data.y_test)
                for scale in scales
            ]
        )

# %%
# Each line is the mean of ten draws. Too short a source is lost beside what 30 rows seem to say;
# too long a source drowns them. The line of the chosen α is level, to rounding.
_, ax = plt.subplots(figsize=(6.4, 3.6))
for name, values in accuracy.items():
    ax.plot(scales, np.mean(values, axis=0), label=name)
ax.set(xscale="log", xlabel="the source, multiplied by", ylabel="accuracy on the target")
ax.legend()
plt.show()
