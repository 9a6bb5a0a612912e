"""What importing the package costs, told by the modules that a fresh process loads."""

import json
import subprocess
import sys

import pytest

HEAVY = {"torch", "matplotlib", "pandas", "dask", "polars", "pooch", "transformers", "skorch"}


def imported(statement):
    """Modules of a fresh process after a statement."""
    program = f"import json, sys\n{statement}\nprint(json.dumps(sorted(sys.modules)))"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(json.loads(result.stdout))


def packages(modules):
    return {module.split(".")[0] for module in modules}


@pytest.fixture(scope="module")
def ours():
    return imported("import sklearn_alpha")


def test_neither_torch_nor_matplotlib_is_imported(ours):
    assert not packages(ours) & {"torch", "matplotlib", "dask"}


def test_no_heavy_library_is_imported_that_scikit_learn_does_not_import(ours):
    assert not packages(ours - imported("import sklearn.linear_model")) & HEAVY


def test_nothing_is_imported_beside_the_parts_of_scikit_learn_in_use(ours):
    theirs = imported(
        "import sklearn.linear_model, sklearn.frozen, sklearn.pipeline, sklearn.model_selection"
    )
    assert packages(ours - theirs) == {"sklearn_alpha"}


def test_hardly_more_is_imported_than_scikit_learns_linear_models(ours):
    # What an import costs, in a unit that no other work on the machine can move.
    assert len(ours) <= 1.1 * len(imported("import sklearn.linear_model"))
