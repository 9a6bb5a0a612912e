"""
Reviews of one shop, few of another
===================================

Many reviews of books are labelled, but only a few reviews of kitchenware. Some words of praise are
the same in both domains and others are not: a knife should be sharp, and a pan should not be heavy.
One TF-IDF vectorizer in a pipeline transforms all texts. The script generates the reviews, so that
nothing is downloaded.
"""

# %%
# A review consists of neutral words of its domain, of praise or blame that both domains share, and
# of praise or blame of its own domain.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_alpha import AlphaTransferClassifier

SHARED = {
    1: "great excellent love perfect wonderful recommend best happy",
    0: "terrible poor waste disappointed awful worst boring refund",
}
OWN = {
    "books": {
        1: "gripping moving insightful witty heavy unforgettable",
        0: "predictable shallow tedious slow light repetitive",
    },
    "kitchen": {
        1: "sharp sturdy light dishwasher quick nonstick",
        0: "broke rusted leaks heavy slow scratched",
    },
}
NEUTRAL = {
    "books": "novel author chapter story character plot page reader edition series",
    "kitchen": "knife pan handle lid blade oven kettle bowl steel blender",
}
rng = np.random.default_rng(0)


def some(words, n):
    """n of the words, drawn with replacement."""
    return rng.choice(words.split(), n).tolist()


def reviews(domain, n):
    """n texts and their labels."""
    y = rng.integers(2, size=n)
    texts = []
    for label in y:
        mood = label if rng.random() < 0.9 else 1 - label  # one in ten is misleading
        words = some(NEUTRAL[domain], 8)
        words += some(SHARED[mood], 1 + rng.integers(2))
        words += some(OWN[domain][mood], rng.integers(3))
        words += some(SHARED[rng.integers(2)], rng.integers(2))
        texts.append(" ".join(rng.permutation(words)))
    return texts, y


books, y_books = reviews("books", 1500)
kitchen, y_kitchen = reviews("kitchen", 1500)
print(books[0], kitchen[0], sep="\n")

# %%
# The vectorizer needs no labels and is fitted on the texts of both shops. The source is a logistic
# regression on the reviews of books.
tfidf = TfidfVectorizer().fit([*books, *kitchen])
source = LogisticRegression(C=10).fit(tfidf.transform(books), y_books)


def target(alpha="auto", source=source):
    frozen = None if source is None else FrozenEstimator(source)
    return make_pipeline(FrozenEstimator(tfidf), AlphaTransferClassifier(frozen, alpha=alpha))


sizes = [10, 20, 30, 60, 120, 250, 500]
accuracy = {"target alone": [], "fine-tuning, α = 1": [], "α chosen": []}
for n in sizes:
    for name, model in zip(accuracy, (target(source=None), target(1.0), target())):
        scores = []
        for draw in range(6):
            few = np.random.default_rng(draw).permutation(500)[:n]
            model.fit([kitchen[i] for i in few], y_kitchen[few])
            scores.append(model.score(kitchen[500:], y_kitchen[500:]))
        accuracy[name].append(np.mean(scores))

_, ax = plt.subplots(figsize=(6.4, 3.6))
for name, values in accuracy.items():
    ax.plot(sizes, values, "o-", markersize=4, label=name)
score = source.score(tfidf.transform(kitchen[500:]), y_kitchen[500:])
ax.axhline(score, color="0.35", linestyle="--", linewidth=1, label="source alone")
ax.set(xscale="log", xlabel="labelled kitchen reviews", ylabel="accuracy on 1000 others")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
plt.show()

# %%
# Which words the adapter changes
# -------------------------------
# Each weight is the sum of a part from the source, α w̃, and a part from the adapter, a. For
# example, "heavy" is praise for a novel, but not for a pan.
model = target().fit(kitchen[:250], y_kitchen[:250])[-1]
rescaled, adapter = model.alpha_[0, 0] * model.source_coef_[0, 0], model.coef_[0]
adapter = adapter - rescaled
words = " ".join([*OWN["kitchen"].values(), *SHARED.values()]).split()
words = sorted(words, key=lambda word: adapter[tfidf.vocabulary_[word]])
column = [tfidf.vocabulary_[word] for word in words]
_, ax = plt.subplots(figsize=(6.4, 5.6))
place = np.arange(len(words))
ax.barh(place + 0.2, rescaled[column], 0.4, label="source, α w̃")
ax.barh(place - 0.2, adapter[column], 0.4, label="adapter, a")
ax.axvline(0, color="0.35", linewidth=1)
ax.set_yticks(place, words)
ax.set_xlabel("weight: blame on the left, praise on the right")
ax.legend()
plt.show()
