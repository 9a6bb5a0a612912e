"""Tasks of GLUE, read from this machine or from the Hugging Face hub."""

from functools import lru_cache, partial

import numpy as np

from benchmarks._data import MissingData
from benchmarks._data.files import read_local
from benchmarks._data.transfers import draw_rows
from sklearn_alpha.datasets import load_glue_task


def glue_rows(task, split, n, seed, *, hub=False):
    """Texts and class numbers of `n` rows of a file of a task; all rows for None."""
    X, y = load(task, split, hub)
    rows = draw_rows(y, n, seed)
    return [X[row] for row in rows], y[rows]


@lru_cache(maxsize=4)
def load(task, split, hub):
    """Texts and class numbers of a file of a task."""
    if hub:
        return _from_hub(task, split)
    bunch = read_local(partial(load_glue_task, task, split=split))
    if bunch is not None:
        return bunch.data, bunch.target
    raise MissingData(
        f"The files of {task} are not on this machine: set SKLEARN_ALPHA_DATA to a folder with "
        f"glue/{task}/{split}.tsv, or read them from the hub with `glue --hub`, or run "
        "`python -m benchmarks vision`, which needs no data."
    )


def _from_hub(task, split):
    try:
        from datasets import load_dataset
    except ImportError as error:
        raise MissingData("--hub needs datasets: pip install datasets.") from error
    if split == "dev":
        split = "validation_matched" if task == "MNLI" else "validation"
    rows = load_dataset("nyu-mll/glue", task.lower().replace("-", ""), split=split)
    texts = [name for name in rows.column_names if name not in ("label", "idx")]
    columns = [list(rows[name]) for name in texts]
    return list(zip(*columns)) if len(columns) > 1 else columns[0], np.array(rows["label"])
