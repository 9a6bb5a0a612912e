"""Data for transfer learning: real pairs of domains, and the Gaussian mixture of the theory."""

from ._amazon_features import fetch_amazon_review
from ._amazon_text import fetch_amazon_text
from ._digits import load_digits_transfer
from ._glue import load_glue_task
from ._mixture import make_domain_transfer

__all__ = [
    "fetch_amazon_review",
    "fetch_amazon_text",
    "load_digits_transfer",
    "load_glue_task",
    "make_domain_transfer",
]
