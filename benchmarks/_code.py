"""Which code a benchmark runs: the files that it imports, and a hash of what they compute."""

import ast
import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

FOLDER = Path(__file__).parent
ROOTS = {"benchmarks": FOLDER, "sklearn_alpha": Path(find_spec("sklearn_alpha").origin).parent}
# These files have wording and form, and change no number.
PRESENTATION = ("_docstrings.py", "_figures.py", "_results.py", "_tables.py")


def benchmark_files():
    """The file of every benchmark, by the name of its command."""
    paths = [*FOLDER.glob("[!_]*.py"), *FOLDER.glob("[!_]*/[!_]*.py")]
    return {path.stem.replace("_", "-"): path for path in sorted(paths, key=lambda path: path.stem)}


def module_of(name):
    """Module of the benchmark `name`, "benchmarks.linear.digits" for "digits"."""
    path = benchmark_files()[name].relative_to(FOLDER.parent)
    return ".".join(path.with_suffix("").parts)


@cache
def digest(module):
    """Short hash of the code that a module runs, its own and what it imports of the two packages.

    Comments, docstrings, the messages of exceptions, import lines and the names of files are not
    part of it: a change of the wording, or a file that is moved, leaves the hash as it is.

    Parameters
    ----------
    module : str
        Full name. A module outside the two packages has the hash of no code.

    Returns
    -------
    digest : str
        16 hexadecimal digits.
    """
    files = [path for path in imported_files(module) if path.name not in PRESENTATION]
    hashes = sorted(map(_hash, files))
    return hashlib.sha256("".join(hashes).encode()).hexdigest()[:16]


def imported_files(module):
    """Files of the two packages that a module imports, directly or not, and its own.

    They are found in the source, imports within functions included. A name taken from a package
    leads to the module that defines it, and not to the package's other modules. `__version__`
    leads nowhere.
    """
    found, waiting = set(), [_find(module)]
    while waiting:
        path = waiting.pop()
        if path is not None and path not in found:
            found.add(path)
            waiting += [_definition(origin, name) for origin, name, _ in _imports(path)]
    return found


def _find(module):
    """File of a module of the two packages, else None."""
    root, *parts = module.split(".")
    if root not in ROOTS:
        return None
    path = ROOTS[root].joinpath(*parts)
    files = (path / "__init__.py", path.parent / f"{path.name}.py")
    return next((file for file in files if file.exists()), None)


def _definition(module, name):
    """File that defines a name of a module."""
    submodule = _find(f"{module}.{name}") if name else None
    path = _find(module)
    if submodule or path is None:
        return submodule
    if name == "__version__":
        return None
    if path.name == "__init__.py":
        for origin, there, here in _imports(path):
            if name and here == name:
                return _definition(origin, there)
    return path


@cache
def _imports(path):
    """What a file imports: (module, name there, name here), without names for ``import module``."""
    found = []
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found += [(alias.name, None, None) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            module = ".".join(filter(None, [_package(path, node.level), node.module]))
            found += [(module, alias.name, alias.asname or alias.name) for alias in node.names]
    return found


def _package(path, level):
    """Name of the package that a relative import of this level starts from."""
    if not level:
        return ""
    root = next(root for root in ROOTS.values() if path.is_relative_to(root))
    return ".".join(path.parents[level - 1].relative_to(root.parent).parts)


@cache
def _tree(path):
    return ast.parse(path.read_text("utf-8"))


@cache
def _hash(path):
    return hashlib.sha256(repr(_canonical(_tree(path))).encode()).hexdigest()


def _canonical(node):
    """A syntax tree as nested lists, alike in all versions of Python, without its wording."""
    if isinstance(node, list):
        return [
            _canonical(item) for item in node if not isinstance(item, ast.Import | ast.ImportFrom)
        ]
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = dict(ast.iter_fields(node))
    documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    if isinstance(node, documented) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
        fields["exc"] = node.exc.func
    if not isinstance(node, ast.Constant):  # newer versions add fields that are empty in old code
        fields = {name: value for name, value in fields.items() if value not in (None, [])}
    return [type(node).__name__, *((name, _canonical(value)) for name, value in fields.items())]
