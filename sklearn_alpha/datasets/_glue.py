"""Five tasks of the GLUE benchmark, read where they lie."""

from typing import NamedTuple

import numpy as np
from sklearn.utils import Bunch
from sklearn.utils._param_validation import StrOptions, validate_params

from ._base import PARAMETERS, locate
from ._docstrings import share_docstring


class _Task(NamedTuple):
    """What a file's columns are called, and its labels with their names, in GLUE's order."""

    texts: tuple
    labels: dict
    about: str
    columns: tuple = ()  # of files without a header


_TASKS = {
    "RTE": _Task(
        ("sentence1", "sentence2"),
        {"entailment": "entailment", "not_entailment": "not_entailment"},
        "Does the first text entail the second?",
    ),
    "SST-2": _Task(
        ("sentence",),
        {"0": "negative", "1": "positive"},
        "Is a phrase of a film review positive?",
    ),
    "CoLA": _Task(
        ("sentence",),
        {"0": "unacceptable", "1": "acceptable"},
        "Is a sentence grammatical?",
        ("source", "label", "mark", "sentence"),
    ),
    "QQP": _Task(
        ("question1", "question2"),
        {"0": "not_duplicate", "1": "duplicate"},
        "Do two questions ask the same?",
    ),
    "MNLI": _Task(
        ("premise", "hypothesis"),
        {label: label for label in ("entailment", "neutral", "contradiction")},
        "Does the premise entail the hypothesis, contradict it, or neither?",
    ),
}
_DESCR = """\
{name}
{line}
{about} {n} rows of the file {file}; the targets are {targets}.

A. Wang, A. Singh, J. Michael, F. Hill, O. Levy, S. R. Bowman. GLUE: A Multi-Task Benchmark and
Analysis Platform for Natural Language Understanding. ICLR 2019.
"""


@validate_params(
    {
        "name": [StrOptions({*_TASKS})],
        "split": [StrOptions({"train", "dev"})],
        "data_home": PARAMETERS["data_home"],
    },
    prefer_skip_nested_validation=True,
)
@share_docstring
def load_glue_task(name, *, split="train", data_home=None):
    """Load the texts of a GLUE task (classification) from files on this machine.

    =======  ================  =========================================
    Task     A row             Classes
    =======  ================  =========================================
    RTE      a pair of texts   entailment, not_entailment
    SST-2    a text            negative, positive
    CoLA     a text            unacceptable, acceptable
    QQP      a pair of texts   not_duplicate, duplicate
    MNLI     a pair of texts   entailment, neutral, contradiction
    =======  ================  =========================================

    Parameters
    ----------
    name : {"RTE", "SST-2", "CoLA", "QQP", "MNLI"}
        The task [1]_.

    split : {"train", "dev"}, default="train"
        Which of its files. The labels of GLUE's test files are not public.

    data_home : str or path-like, default=None
        The folder that holds a folder `<name>`, or `glue/<name>`, with the file `<split>.tsv`, or
        `subset_<split>.tsv` of part of the rows. Tab-separated, neither quoted nor escaped, and the
        first line names the columns: `sentence` or `sentence1`, `sentence2` or `question1`,
        `question2` or `premise`, `hypothesis`, and `label`. CoLA's has no such line, and the
        columns source, label, mark, sentence.
        {search}

    Returns
    -------
    task : :class:`~sklearn.utils.Bunch`
        Dictionary-like object with the attributes

        data : list of str, or list of tuple of two str
            The texts, or pairs of them.
        target : ndarray of shape (n_samples,), int
            Numbers of the classes, in the order of the table.
        target_names : list of str
            The classes.
        {DESCR}
        {filename}

    Raises
    ------
    OSError
        If there is no such file; nothing is downloaded.
    ValueError
        If the file is damaged or holds something else.

    References
    ----------
    .. [1] A. Wang, A. Singh, J. Michael, F. Hill, O. Levy, S. R. Bowman. GLUE: A Multi-Task
       Benchmark and Analysis Platform for Natural Language Understanding. ICLR 2019.

    Examples
    --------
    >>> from sklearn_alpha.datasets import load_glue_task
    >>> task = load_glue_task("RTE", split="dev")  # doctest: +SKIP
    >>> len(task.data), task.target_names  # doctest: +SKIP
    (277, ['entailment', 'not_entailment'])
    """
    names = [f"{split}.tsv", f"subset_{split}.tsv"]
    path = locate(
        names,
        [f"glue/{name}", name],
        data_home=data_home,
        remedy="put it there (the public files are those of https://gluebenchmark.com/tasks)",
    )
    data, target = _read(path, _TASKS[name])
    target_names = [*_TASKS[name].labels.values()]
    return Bunch(
        data=data,
        target=target,
        target_names=target_names,
        DESCR=_DESCR.format(
            name=name,
            line="=" * len(name),
            about=_TASKS[name].about,
            n=len(data),
            file=path.name,
            targets=", ".join(f"{i} {label}" for i, label in enumerate(target_names)),
        ),
        filename=str(path),
    )


def _read(path, task):
    """Texts and class numbers of a file."""
    # `splitlines` would also split at the odd separators that texts contain.
    lines = path.read_text("utf-8").replace("\r\n", "\n").rstrip("\n").split("\n")
    columns = list(task.columns) or lines.pop(0).split("\t")
    missing = {*task.texts, "label"} - {*columns}
    if missing:
        raise ValueError(
            f"{path} is no file of this task: it has no column {', '.join(sorted(missing))}; "
            "pass one that has."
        )
    places = [columns.index(text) for text in task.texts]
    codes = {label: code for code, label in enumerate(task.labels)}
    data, target = [], []
    for number, line in enumerate(lines, start=1 if task.columns else 2):
        cells = line.split("\t")
        if len(cells) != len(columns):
            raise ValueError(
                f"{path} is damaged: line {number} has {len(cells)} columns, not {len(columns)}; "
                "copy it again."
            )
        label = cells[columns.index("label")]
        if label not in codes:
            raise ValueError(
                f"{path} is damaged: line {number} has the label {label!r}; copy it again."
            )
        texts = tuple(cells[place] for place in places)
        data.append(texts if len(texts) > 1 else texts[0])
        target.append(codes[label])
    return data, np.array(target, dtype=np.int64)
