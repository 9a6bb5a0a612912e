"""Parts of docstrings that several public objects share, each written once."""

import inspect
from textwrap import indent

REFERENCES = """\
References
----------
.. [1] El Firdoussi, Chayti, Seddik, Jaggi, "α-LoRA: Effective Fine-Tuning via Base Model
   Rescaling", arXiv 2510.21345."""

ARRAYS = """\
Under ``sklearn.config_context(array_api_dispatch=True)`` X may be an array of PyTorch, CuPy or
another library of the Array API standard. Rows stay on their device; only the smaller of XᵀX
and XXᵀ, and for n > p the rows that are left out, are copied to the host. Sums are added up in
double precision where the device has it. Predictions and fitted arrays are on the device and in
the precision of X, except `path_` and labels that are not numbers, which are NumPy's."""

REPORT = """\
source_report_ : list of Bunch
    For each output and source: `alpha`; its `share` of the predictions f, cov(αs, f)/var(f);
    the `gain` of left-out values over the source alone, in accuracy or squared error, with its
    `standard_error`, both nan after `partial_fit` and Dask; and its `use`: "ignored" (share
    below 5 %), "reversed" (α negative), "used" as it is (the α's sum to 1 within a factor of
    1.25) or "rescaled". It prints as a table."""

RULES_OF_SELECTION = """\
- "anchored" draws α to 1 and b to 0, and in classification weighs the adapter by left-out rows;
- "evidence" profiles α out of the marginal likelihood and averages over γ;
- "generative" shrinks the mean shift between the classes by empirical Bayes;
- "blend" averages these two, weighted by leave-one-out predictions of at most 1000 rows;
- "loo" takes the best leave-one-out score of all rows;
- "theory" takes the best accuracy that random matrix theory predicts;
- "cv" takes the best cross-validation score.

Where alpha or gamma is given, "anchored", "blend" and "generative" choose the other by
"evidence"."""


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
