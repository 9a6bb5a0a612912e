from os import PathLike
from typing import Any, Literal, TypeAlias, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.utils import Bunch

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

_Domain: TypeAlias = Literal["books", "dvd", "elec", "electronics", "kitchen"]
_Home: TypeAlias = str | PathLike[str] | None
_Floats: TypeAlias = NDArray[np.float64]
_Integers: TypeAlias = NDArray[np.int64]

# Arrays, or pandas' where `as_frame` is true.
@overload
def fetch_amazon_review(
    domain: _Domain,
    *,
    data_home: _Home = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
    as_frame: bool = False,
) -> Bunch: ...
@overload
def fetch_amazon_review(
    domain: _Domain,
    *,
    data_home: _Home = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: bool = False,
) -> tuple[Any, Any]: ...
@overload
def fetch_amazon_text(
    domain: _Domain,
    *,
    titles: bool = True,
    data_home: _Home = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
    as_frame: bool = False,
) -> Bunch: ...
@overload
def fetch_amazon_text(
    domain: _Domain,
    *,
    titles: bool = True,
    data_home: _Home = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
    as_frame: bool = False,
) -> tuple[Any, Any]: ...
@overload
def fetch_office_caltech(
    domain: Literal["amazon", "caltech", "dslr", "webcam"],
    *,
    data_home: _Home = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def fetch_office_caltech(
    domain: Literal["amazon", "caltech", "dslr", "webcam"],
    *,
    data_home: _Home = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
) -> tuple[_Floats, _Integers]: ...
@overload
def fetch_school(
    *,
    data_home: _Home = None,
    download_if_missing: bool = True,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def fetch_school(
    *,
    data_home: _Home = None,
    download_if_missing: bool = True,
    return_X_y: Literal[True],
) -> tuple[_Floats, _Floats]: ...
@overload
def fetch_spoken_digits(
    *,
    data_home: _Home = None,
    return_X_y: Literal[False] = False,
) -> Bunch: ...
@overload
def fetch_spoken_digits(
    *,
    data_home: _Home = None,
    return_X_y: Literal[True],
) -> tuple[_Floats, _Integers]: ...
def load_digits_transfer(
    source: tuple[int, int] = (6, 8), target: tuple[int, int] = (5, 9)
) -> Bunch: ...
def load_glue_task(
    name: Literal["RTE", "SST-2", "CoLA", "QQP", "MNLI"],
    *,
    split: Literal["train", "dev"] = "train",
    data_home: _Home = None,
) -> Bunch: ...
def make_domain_transfer(
    n_source: int = 1000,
    n_target: int = 40,
    n_features: int = 100,
    *,
    n_test: int = 1000,
    n_sources: int = 1,
    source_norm: float = 1.0,
    orthogonal_norm: float = 0.6,
    beta: float = 0.8,
    covariance: ArrayLike | None = None,
    class_balance: float = 0.5,
    random_state: int | np.random.RandomState | None = None,
) -> Bunch: ...
