"""Print the versions that a bug report needs: ``python -m sklearn_alpha``."""

import platform
import re
import sys
from importlib import metadata

from threadpoolctl import threadpool_info

from sklearn_alpha import __version__

DEVELOPMENT = ("docs", "lint", "release", "test", "all")  # extras that no user of a model needs


def packages():
    """Names of the required packages, then of the optional ones."""
    try:
        requirements = metadata.requires("sklearn-alpha")
    except metadata.PackageNotFoundError:  # run from a folder without installation
        requirements = ["numpy", "scipy", "scikit-learn"]
    hard, optional = [], {"joblib", "pandas", "polars", "skops"}
    for requirement in requirements:
        name = re.match(r"[\w.-]+", requirement)[0]
        extra = re.search(r"extra == ['\"]([\w-]+)", requirement)
        if extra is None:
            hard.append(name)
        elif extra[1] not in DEVELOPMENT and name != "sklearn-alpha":
            optional.add(name)
    return [*hard, *sorted(optional)]


def versions():
    """Pairs (name, version). Packages are looked up by their metadata and not imported."""
    yield "sklearn_alpha", __version__
    yield "python", sys.version.replace("\n", " ")
    yield "machine", platform.platform()
    for pool in threadpool_info():
        yield pool["internal_api"], f"{pool['version']}, {pool['num_threads']} thread(s)"
    for name in packages():
        try:
            yield name, metadata.version(name)
        except metadata.PackageNotFoundError:
            yield name, "not installed"


if __name__ == "__main__":
    for name, version in versions():
        print(f"{name:20} {version}")
