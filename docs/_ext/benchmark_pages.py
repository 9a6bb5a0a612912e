"""A page for every folder of benchmarks/results, made from its files and never by hand.

The text is the docstring of the benchmark that `meta.json` names, the tables are `table.md`, the
figures those beside it, but for the narrow forms that `narrow_figures` adds.
"""

import ast
import json
import re
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results"


def title_and_text(command):
    """First line and rest of the docstring of the benchmark that a command runs."""
    name = re.match(r"python -m benchmarks ([\w-]+)", command)[1]
    (module,) = (ROOT / "benchmarks").glob(f"[!_]*/{name.replace('-', '_')}.py")
    title, _, text = ast.get_docstring(ast.parse(module.read_text("utf-8"))).partition("\n")
    # a block that is set out in columns stays as it is
    parts = [
        f"```text\n{part}\n```" if re.search(r"\w {3,}\w", part) else part
        for part in text.strip().split("\n\n")
    ]
    return title.rstrip("."), "\n\n".join(parts)


def demoted(table):
    """The table's own headings, one level below that of the section they come into.

    A heading without a level above it would be an error.
    """
    lines = table.splitlines()
    lines = [line for line in lines if not line.startswith("# ")]
    levels = [len(line) - len(line.lstrip("#")) for line in lines if line.startswith("#")]
    shift = 3 - min(levels, default=3)
    return "\n".join("#" * shift + line if line.startswith("#") else line for line in lines)


def page(folder):
    meta = json.loads((folder / "meta.json").read_text("utf-8"))
    title, text = title_and_text(meta["command"])
    figures = [
        f"![{path.stem}]({folder.name}/{path.name})"
        for path in figures_of(folder)
        if not path.stem.endswith("-narrow")
    ]
    packages = meta["config"].get("packages", {}) | meta["versions"]
    versions = ", ".join(
        f"{name} {value}" for name, value in packages.items() if isinstance(value, str)
    )
    parts = [
        f"# {folder.name}",
        f"**{title}.**",
        text,
        f"```sh\n{meta['command']}\n```",
        *figures,
        "## Results",
        demoted((folder / "table.md").read_text("utf-8")),
        "## Versions",
        versions + ".",
    ]
    return "\n\n".join(part.strip() for part in parts if part.strip()) + "\n"


def figures_of(folder):
    return sorted(folder.glob("*.png"))


def write(app):
    pages = Path(app.srcdir) / "benchmarks"
    shutil.rmtree(pages, ignore_errors=True)
    pages.mkdir()
    for folder in sorted(path.parent for path in RESULTS.glob("*/table.md")):
        (pages / f"{folder.name}.md").write_text(page(folder), "utf-8")
        for figure in figures_of(folder):
            (pages / folder.name).mkdir(exist_ok=True)
            shutil.copy(figure, pages / folder.name)


def setup(app):
    # before Sphinx looks for the documents there are
    app.connect("builder-inited", write)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
