"""Data for transfer learning: real pairs of domains, and the Gaussian mixture of the theory."""

from ._amazon_features import fetch_amazon_review
from ._amazon_text import fetch_amazon_text
from ._digits import load_digits_transfer
from ._glue import load_glue_task
from ._mixture import make_domain_transfer
from ._office_caltech import fetch_office_caltech
from ._school import fetch_school
from ._spoken_digits import fetch_spoken_digits

__all__ = [
    "fetch_amazon_review",
    "fetch_amazon_text",
    "fetch_office_caltech",
    "fetch_school",
    "fetch_spoken_digits",
    "load_digits_transfer",
    "load_glue_task",
    "make_domain_transfer",
]
