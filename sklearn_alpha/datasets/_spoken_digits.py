"""Spoken digits of six speakers, as what a speech model hears."""

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import validate_params

from ._base import PARAMETERS, damaged, locate
from ._docstrings import share_docstring

_N_SPEAKERS, _N_DIGITS, _N_TAKES, _N_FEATURES = 6, 10, 50, 384
_RECORDINGS = "https://github.com/Jakobovski/free-spoken-digit-dataset"

_DESCR = """\
Spoken digits
=============
3000 recordings: six speakers say each of the ten digits 50 times in English. A row is the mean of
the 384 states of Whisper's encoder over one recording. Target: the digit. `speaker` is who speaks,
`take` numbers the recordings of one digit by one speaker.

The recordings are the Free Spoken Digit Dataset of Z. Jackson and others
(https://github.com/Jakobovski/free-spoken-digit-dataset), licence CC BY-SA 4.0, which holds for
what is made of them too.
"""


@validate_params(
    {name: PARAMETERS[name] for name in ("data_home", "return_X_y")},
    prefer_skip_nested_validation=True,
)
@share_docstring
def fetch_spoken_digits(*, data_home=None, return_X_y=False):
    """Load spoken digits of six speakers as states of a speech model (classification).

    Each recording of the Free Spoken Digit Dataset [1]_ is the mean of the states that the encoder
    of Whisper [2]_ has while it hears it. Five speakers are a source for the sixth.

    =============================  ==================
    Classes                                        10
    Speakers                                        6
    Samples per class and speaker                  50
    Samples total                                3000
    Dimensionality                                384
    Features                                     real
    =============================  ==================

    Parameters
    ----------
    data_home : str or path-like, default=None
        The folder that holds `whisper_features.npz`, or a folder `spoken_digits` with it.
        {search}

    {return_X_y}

    Returns
    -------
    digits : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : ndarray of shape (3000, 384), float64
            The mean states, not scaled. The file rounds them to float16.
        target : ndarray of shape (3000,), int
            The digits, from 0 to 9.
        speaker : ndarray of shape (3000,), str
            The name of the speaker; pass it to
            :class:`~sklearn.model_selection.LeaveOneGroupOut` as the groups.
        take : ndarray of shape (3000,), int
            The number of the recording among those of one digit by one speaker, from 0 to 49.
        {DESCR}
        {filename}

    {tuple}

    Raises
    ------
    OSError
        If the file is not found; it is not public, so nothing is downloaded.
    ValueError
        If the file is damaged or holds something else.

    Notes
    -----
    The file is made from the public recordings (commit 26eb9aaf) by the script `make_features.py`
    that comes with it:

    1. Resample a recording from 8 to 16 kHz, and compute the log-mel spectrogram of Whisper (80
       bands, windows of 25 ms, steps of 10 ms) for 4 seconds, with silence after the recording.
    2. Pass it to the encoder of Whisper's smallest model, which has a state of 384 numbers for
       every 320 samples.
    3. Take the mean of the states up to the end of the recording.
    4. Save the means `X`, rounded to float16, and the `digit`, `speaker` and `take` that the
       recording's name holds, with :func:`numpy.savez_compressed`.

    The recordings have the licence CC BY-SA 4.0: name the source, and pass on what you make of
    them under the same licence.

    References
    ----------
    .. [1] Z. Jackson and others. Free Spoken Digit Dataset.
       https://github.com/Jakobovski/free-spoken-digit-dataset
    .. [2] A. Radford, J. W. Kim, T. Xu, G. Brockman, C. McLeavey, I. Sutskever. Robust Speech
       Recognition via Large-Scale Weak Supervision. ICML 2023.

    Examples
    --------
    >>> from sklearn_alpha.datasets import fetch_spoken_digits
    >>> digits = fetch_spoken_digits()  # doctest: +SKIP
    >>> digits.data[digits.speaker == "theo"].shape  # doctest: +SKIP
    (500, 384)
    """
    path = locate(
        ["whisper_features.npz"],
        ["spoken_digits"],
        data_home=data_home,
        remedy=f"make it from the recordings at {_RECORDINGS}, as the docstring of "
        "fetch_spoken_digits says, and put it there",
    )
    content = _read(path)
    if return_X_y:
        return content["data"], content["target"]
    return Bunch(**content, DESCR=_DESCR, filename=str(path))


def _read(path):
    """Return the arrays of the file by their names in the Bunch, checked."""
    try:
        # Opened here, since `np.load` leaves a damaged file open. It loads no pickles by default.
        with open(path, "rb") as file, np.load(file) as arrays:
            content = {
                "data": arrays["X"].astype(np.float64),
                "target": arrays["digit"].astype(np.int64),
                "speaker": arrays["speaker"].astype(str),
                "take": arrays["take"].astype(np.int64),
            }
        recordings = {*zip(content["speaker"], content["target"], content["take"])}
        speakers, digits, takes = map(set, zip(*recordings))
        n_recordings = _N_SPEAKERS * _N_DIGITS * _N_TAKES
        valid = (
            content["data"].shape == (n_recordings, _N_FEATURES)
            and np.isfinite(content["data"]).all()
            and all(len(content[name]) == n_recordings for name in ("target", "speaker", "take"))
            # each speaker has each take of each digit, once
            and len(recordings) == n_recordings
            and len(speakers) == _N_SPEAKERS
            and digits == {*range(_N_DIGITS)}
            and takes == {*range(_N_TAKES)}
        )
    except Exception as error:  # a damaged file makes the parser fail in many ways
        raise _damaged(path) from error
    if not valid:
        raise _damaged(path)
    return content


def _damaged(path):
    return damaged(
        path,
        "the one of the spoken digits",
        f"make it again from the recordings at {_RECORDINGS}",
    )
