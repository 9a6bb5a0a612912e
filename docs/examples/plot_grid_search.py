"""
Searching over sources and rules
================================

The estimators follow scikit-learn's interface, so a grid search can compare sources and selections.
α and γ need no grid, because each fit chooses its own.
"""

# %%
# The task is to tell a 3 from a 6 on noisy images. Three other pairs of digits serve as sources,
# each fitted with a strong and with a weak penalty. `FrozenEstimator` keeps them fitted, because a
# search clones the values of its grid.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, RepeatedStratifiedKFold, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_alpha import AlphaTransferClassifier
from sklearn_alpha.datasets import load_digits_transfer

sources = {"no source": None}
for pair in ((9, 0), (4, 7), (5, 8)):
    digits = load_digits_transfer(source=pair, target=(3, 6))
    rows = StandardScaler().fit_transform(digits.X_source)
    for C in (0.001, 1.0):
        fitted = LogisticRegression(C=C).fit(rows, digits.y_source)
        sources[f"{pair[0]} or {pair[1]}, C = {C:g}"] = FrozenEstimator(fitted)
noise = np.random.default_rng(0).normal(scale=8, size=digits.X_target.shape)
X_few, X_rest, y_few, y_rest = train_test_split(
    digits.X_target + noise, digits.y_target, train_size=40, random_state=0
)

# %%
# The search uses only the 40 labelled rows. Some pairs of digits are opposed to the target by
# chance. They are then reversed, with a warning that is not needed here.
warnings.filterwarnings("ignore", message="The labels contradict the source")
rules = ["anchored", "blend", "evidence", "generative", "loo"]
search = GridSearchCV(
    make_pipeline(StandardScaler(), AlphaTransferClassifier()),
    {
        "alphatransferclassifier__source": list(sources.values()),
        "alphatransferclassifier__selection": rules,
    },
    cv=RepeatedStratifiedKFold(n_splits=5, n_repeats=4, random_state=0),
).fit(X_few, y_few)

# the grid is ordered by parameter name, and the last parameter varies fastest
scores = search.cv_results_["mean_test_score"].reshape(len(rules), len(sources)).T
_, ax = plt.subplots(figsize=(7, 4))
image = ax.imshow(scores, cmap="viridis", aspect="auto")
for i, j in np.ndindex(scores.shape):
    dark = scores[i, j] < scores.mean()
    ax.text(j, i, f"{scores[i, j]:.3f}", ha="center", va="center", color="w" if dark else "k")
ax.grid(False)
ax.set_xticks(range(len(rules)), rules)
ax.set_yticks(range(len(sources)), sources)
ax.set_title("cross-validated accuracy, 40 rows")
plt.show()

# %%
# The accuracy of the best combination on the remaining rows:
best = search.best_params_
name = next(name for name, s in sources.items() if s is best["alphatransferclassifier__source"])
rule = best["alphatransferclassifier__selection"]
print(f"{name}, {rule}: {search.score(X_rest, y_rest):.3f}")
