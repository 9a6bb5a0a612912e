"""Which committed tables are older than their code, and the list of them in docs/benchmarks.md."""

import json
import re
import shlex
from pathlib import Path

from benchmarks._code import FOLDER, digest, module_of

PAGE = FOLDER.parent / "docs" / "benchmarks.md"
BEGIN, END = "<!-- older:begin -->", "<!-- older:end -->"


def older_tables(results=FOLDER / "results"):
    """Names of the folders whose code has changed since they were written.

    Parameters
    ----------
    results : path-like
        Folder of all results. The `meta.json` of each names its command and the hash `source` of
        the code that it ran.

    Returns
    -------
    names : list of str
    """
    names = []
    for path in sorted(Path(results).glob("*/meta.json")):
        meta = json.loads(path.read_text("utf-8"))
        name = shlex.split(meta["command"])[3]  # python -m benchmarks NAME
        if meta.get("source") != digest(module_of(name)):
            names.append(path.parent.name)
    return names


def with_list(text, names):
    """Text of docs/benchmarks.md with the list of these tables between its markers."""
    links = [f"[{name}](../benchmarks/results/{name}/table.md)" for name in names]
    block = f"{BEGIN}\n{', '.join(links) or 'None'}.\n{END}"
    return re.sub(f"{BEGIN}.*{END}", lambda match: block, text, flags=re.DOTALL)


def write_list():
    """Bring docs/benchmarks.md up to date."""
    names = older_tables()
    PAGE.write_text(with_list(PAGE.read_text("utf-8"), names), "utf-8")
    print(f"{len(names)} tables are older than their code: {', '.join(names) or 'none'}.")
