"""Write VERSION.skops beside this file: models, and what this version predicts with them.

    python tests/linear_model/files/write.py

The files of released versions stay; `test_persistence.py` reads them all.
"""

from pathlib import Path
from zipfile import ZIP_DEFLATED

import numpy as np

from sklearn_alpha import AlphaTransferClassifier, AlphaTransferRegressor, __version__


def fitted():
    """Rows, and models of every kind, one of them not fitted."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(12, 3))
    labels = ["no", "so", "yes"]
    y = np.array(labels)[np.arange(12) % 3]
    X += (y == "yes")[:, None]
    target = X @ [1.0, 2.0, 3.0] + rng.normal(size=12)
    source = np.vstack([np.zeros(3), np.zeros(3), np.ones(3)])
    return X, {
        "classifier": AlphaTransferClassifier(source).fit(X, y),
        "stream": AlphaTransferClassifier(source).partial_fit(X, y, classes=labels),
        "regressor": AlphaTransferRegressor(np.ones(3)).fit(X, target),
        "unfitted": AlphaTransferRegressor(np.ones(3), selection="evidence"),
    }


if __name__ == "__main__":
    import skops.io

    X, models = fitted()
    predicted = {
        name: getattr(model, "predict_proba", model.predict)(X)
        for name, model in models.items()
        if name != "unfitted"
    }
    skops.io.dump(
        {"X": X, "models": models, "predicted": predicted},
        Path(__file__).with_name(f"{__version__}.skops"),
        compression=ZIP_DEFLATED,
        compresslevel=9,
    )
