"""Exam scores of the pupils of 139 schools: one regression for each school."""

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ._base import PARAMETERS, File, damaged, locate_or_download
from ._docstrings import share_docstring

_N_SCHOOLS, _N_PUPILS = 139, 15362
_FEATURE_NAMES = [
    "year_1985", "year_1986", "year_1987",
    "percent_free_meals", "percent_band_1",
    "girl", "boy",
    "band_3", "band_1", "band_2",
    "british_isles", "african", "arab", "bangladeshi", "caribbean", "greek", "indian",
    "pakistani", "southeast_asian", "turkish", "other",
    "mixed_school", "boys_school", "girls_school",
    "maintained", "church_of_england", "roman_catholic",
    "constant",
]  # fmt: skip

_FILE = File(
    url="https://raw.githubusercontent.com/jiayuzhou/MALSAR/fb975159/data/school.mat",
    sha256="57fb3238fdd03a9aa17276e2ce18d9bbb5d128c3261e794fe6233b58b6909068",
    path="school/school.mat",
)
_CONTENT = "the one of the 139 schools"  # what an error says of the file
_DESCR = """\
Exam scores of 139 schools
==========================
15362 pupils of 139 secondary schools of the Inner London Education Authority in 1985, 1986 and
1987. A row describes a pupil and the school by 28 numbers: two percentages, 25 indicators, and a
constant. The target is the pupil's exam score, from 1 to 70. `task` numbers the schools.

The authors of the file state no licence for the data; use them for research.

D. Nuttall, H. Goldstein, R. Prosser, J. Rasbash. Differential school effectiveness. International
Journal of Educational Research 13(7), 1989. The file is the one of MALSAR (J. Zhou, J. Chen,
J. Ye. MALSAR: Multi-tAsk Learning via StructurAl Regularization. Arizona State University, 2011).
"""


@validate_params(PARAMETERS, prefer_skip_nested_validation=True)
@share_docstring
def fetch_school(*, data_home=None, download_if_missing=True, return_X_y=False):
    """Load the exam scores of the pupils of 139 schools (regression, one task for each school).

    The pupils of the secondary schools of Inner London in 1985, 1986 and 1987 [1]_, in the file of
    the package MALSAR [2]_. The schools differ, and each has few pupils: a model of the other
    schools is a source for any one of them.

    =================  ==============================
    Tasks                                         139
    Samples total                               15362
    Samples per task                        22 to 251
    Dimensionality                                 28
    Features           integers: 0 or 1, percentages
    Targets                          integers, 1 to 70
    =================  ==============================

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder that holds `school.mat`, or a folder `school` with it.
        {search}

    {download_if_missing}

    {return_X_y}

    Returns
    -------
    school : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray of shape (15362, 28), float64
            The columns of the file, not scaled.
        target : ndarray of shape (15362,), float64
            The exam scores.
        task : ndarray of shape (15362,), int
            The school of each row, from 0 to 138 in the order of the file. The rows of a school
            follow one another.
        feature_names : list of str
            The columns: year, two percentages of the school (pupils with free meals, pupils in
            verbal reasoning band 1), sex, verbal reasoning band, ethnic group, sex of the school's
            pupils, denomination of the school, and a constant.
        {DESCR}
        {filename}

    {tuple}

    Raises
    ------
    {raises}

    Notes
    -----
    The last column is 1 in all rows. Leave it out, `data[:, :-1]`, where a model has an intercept
    of its own. Each block of indicators sums to 1, except that the verbal reasoning band of 15
    pupils is missing, so the columns are linearly dependent.

    The file names no columns. The names follow from the codes of the original survey, and agree
    with the data where these can tell: only girls are in girls' schools, pupils of band 1 have the
    highest scores, and the schools with many of them have a high percentage of band 1.

    No licence is stated for the data. Use them for research, and do not pass them on.

    References
    ----------
    .. [1] D. Nuttall, H. Goldstein, R. Prosser, J. Rasbash. Differential school effectiveness.
       International Journal of Educational Research 13(7), 1989.
    .. [2] J. Zhou, J. Chen, J. Ye. MALSAR: Multi-tAsk Learning via StructurAl Regularization.
       Arizona State University, 2011.

    Examples
    --------
    >>> from sklearn_alpha.datasets import fetch_school
    >>> school = fetch_school()  # doctest: +SKIP
    >>> school.data[school.task == 0].shape  # doctest: +SKIP
    (200, 28)
    """
    path = locate_or_download(
        ["school.mat"],
        ["school"],
        public=_FILE,
        data_home=data_home,
        download_if_missing=download_if_missing,
    )
    data, target, task = _read(path)
    if return_X_y:
        return data, target
    return Bunch(
        data=data,
        target=target,
        task=task,
        feature_names=[*_FEATURE_NAMES],
        DESCR=_DESCR,
        filename=str(path),
    )


def _read(path):
    """Return the rows of all schools, their scores and the number of their school, checked."""
    from scipy.io import loadmat

    try:
        content = loadmat(path, variable_names=["X", "Y"])
        X, Y = content["X"].ravel(), content["Y"].ravel()  # one matrix in a cell for each school
        data = np.ascontiguousarray(np.vstack(X), dtype=np.float64)
        target = np.vstack(Y).ravel().astype(np.float64)
        sizes = [len(scores) for scores in Y]
        valid = (
            data.shape == (_N_PUPILS, len(_FEATURE_NAMES))
            and len(Y) == _N_SCHOOLS
            and sizes == [len(rows) for rows in X]
            and len(target) == _N_PUPILS
            and np.isfinite(data).all()
            and np.isfinite(target).all()
        )
    except Exception as error:  # a damaged file makes the parser fail in many ways
        raise damaged(path, _CONTENT) from error
    if not valid:
        raise damaged(path, _CONTENT)
    return data, target, np.repeat(np.arange(_N_SCHOOLS), sizes)
