"""
Rows that come in chunks
========================

`partial_fit` adds up second moments and keeps at most 1000 rows. After each chunk, α, γ and the
model are those of `fit` on all rows so far.
"""

# %%
# The stream has 60 chunks of 50 rows. The source is related to the target.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.datasets import make_domain_transfer

data = make_domain_transfer(n_target=3000, n_features=200, beta=0.6, random_state=0)
source = LogisticRegression(C=0.01).fit(data.X_source, data.y_source)
chunks = np.array_split(np.arange(3000), 60)

with_source, alone = AlphaTransferClassifier(source), AlphaTransferClassifier()
seen, alphas, accuracy = [], [], {"with the source": [], "target alone": []}
for rows in chunks:
    for name, model in zip(accuracy, (with_source, alone)):
        model.partial_fit(data.X_target[rows], data.y_target[rows], classes=[-1, 1])
        accuracy[name].append(model.score(data.X_test, data.y_test))
    seen.append(rows[-1] + 1)
    alphas.append(with_source.alpha_[0, 0])

# %%
# At first, the source is worth a few hundred rows. As more rows arrive, the adapter learns what
# the source does not contain, and both curves meet.
_, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), width_ratios=[1.4, 1])
for name, values in accuracy.items():
    left.plot(seen, values, label=name)
score = source.score(data.X_test, data.y_test)
left.axhline(score, color="0.35", linestyle="--", linewidth=1, label="source alone")
left.set(xlabel="rows seen", ylabel="accuracy on the target", xscale="log")
left.legend()
right.plot(seen, alphas, color="C2")
right.set(xlabel="rows seen", ylabel="α", xscale="log", ylim=(0, 1.2))
plt.show()

# %%
# Two machines
# ------------
# Two streams can be added, even if different machines read them. The sum is the fit of all rows.
first, second = (
    AlphaTransferClassifier(source).partial_fit(
        data.X_target[part], data.y_target[part], classes=[-1, 1]
    )
    for part in (slice(0, 1800), slice(1800, None))
)
whole = AlphaTransferClassifier(source).fit(data.X_target, data.y_target)
print(f"largest difference of a weight: {np.abs((first + second).coef_ - whole.coef_).max():.0e}")
