"""Write VERSION.pickle beside this file: a net, its folder, and what this version predicts.

    python -m tests.neural_network.files.write

The files of released versions stay; `test_earlier_versions.py` reads them all.
"""

import pickle
import tempfile
from pathlib import Path

import numpy as np

from sklearn_alpha import AlphaLoRANetClassifier, __version__
from tests.neural_network.conftest import make_module, make_numbers


def write(file, **options):
    X, y = make_numbers(12)
    labels = np.array(["no", "yes"])[y]
    net = AlphaLoRANetClassifier(make_module(), max_epochs=2, rank=1, random_state=0, **options)
    net.fit(X, labels)
    with tempfile.TemporaryDirectory() as folder:
        net.save(folder)
        paths = [path for path in Path(folder).rglob("*") if path.is_file()]
        files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
    kept = {"pickle": pickle.dumps(net), "files": files, "X": X, "P": net.predict_proba(X)}
    Path(file).write_bytes(pickle.dumps(kept))


if __name__ == "__main__":
    write(Path(__file__).with_name(f"{__version__}.pickle"))
