"""
The scale of a source is arbitrary
==================================

Fine-tuning uses a source at its own scale (:math:`\\alpha = 1`). However, the length of the
source's weights depends on the penalty of the source, and not on the target. If two sources point
in the same direction, fine-tuning may use one of them and almost ignore the other.

If :math:`\\alpha` is chosen from the labelled rows, the scale of coefficients has no effect. (A
fitted classifier with probabilities has a scale of its own, its log odds, and is drawn to it.)
"""

# %%
# One source is fitted on a thousand rows of another domain, and there are 30 labelled rows of the
# target. The source is multiplied by numbers between 1/100 and 100.
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
# Each line is the mean of ten draws. With fine-tuning, a source with small weights has no effect
# beside the 30 rows, and a source with large weights dominates them. With α chosen, the line is
# constant up to rounding.
_, ax = plt.subplots(figsize=(6.4, 3.6))
for name, values in accuracy.items():
    ax.plot(scales, np.mean(values, axis=0), label=name)
ax.set(xscale="log", xlabel="the source, multiplied by", ylabel="accuracy on the target")
ax.legend()
plt.show()
