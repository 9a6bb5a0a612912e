"""What docstrings share reaches the reader."""

import inspect
import re

import pytest

from sklearn_alpha import datasets
from sklearn_alpha.datasets._docstrings import share_docstring

LOADERS = [name for name in datasets.__all__ if name.startswith(("fetch_", "load_"))]


@pytest.mark.parametrize("name", LOADERS)
def test_every_parameter_is_documented_in_order(name):
    loader = getattr(datasets, name)
    doc = inspect.getdoc(loader)
    section = doc.split("Parameters\n----------\n")[1].split("\n\nReturns\n")[0]
    # two parameters of one description share its line
    documented = re.findall(r"^(\w+(?:, \w+)*) : ", section, re.MULTILINE)
    assert ", ".join(documented).split(", ") == list(inspect.signature(loader).parameters)
    assert not re.search(r"^ *\{\w+\}$", doc, re.MULTILINE)
    assert max(map(len, doc.splitlines())) <= 100


def test_parts_keep_the_indentation_of_their_line():
    def loader():
        """Load.

        Returns
        -------
        bunch : Bunch
            With

            {filename}
        """

    doc = share_docstring(loader).__doc__
    assert doc.endswith("\n    filename : str\n        The path of the file read.")


def test_no_docstring_is_needed():
    assert share_docstring(lambda: None).__doc__ is None
