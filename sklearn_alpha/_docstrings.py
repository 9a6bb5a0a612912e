"""Parts of docstrings that several public objects share, each written once."""

import inspect
from textwrap import indent

REFERENCES = """\
References
----------
.. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
   Rescaling", arXiv 2510.21345."""


def shared(**parts):
    """Decorator that replaces a line ``{name}`` of a docstring by the part of that name."""

    def decorate(documented):
        if documented.__doc__ is not None:  # None under `python -OO`
            lines = inspect.cleandoc(documented.__doc__).split("\n")
            documented.__doc__ = "\n".join(_filled(line, parts) for line in lines)
        return documented

    return decorate


def _filled(line, parts):
    name = line.strip()
    if not (name.startswith("{") and name.endswith("}")):
        return line
    return indent(parts[name[1:-1]], line[: line.index("{")])
