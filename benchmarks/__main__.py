"""``python -m benchmarks NAME [options]`` runs a benchmark, ``python -m benchmarks`` lists them."""

import argparse
import ast
import shlex
import sys
from importlib import import_module

from benchmarks._code import benchmark_files, module_of


def available():
    """Name and first docstring line of every benchmark, read without importing any of them."""
    return {
        name: ast.get_docstring(ast.parse(path.read_text("utf-8"))).split("\n")[0]
        for name, path in benchmark_files().items()
    }


def list_benchmarks():
    """Print one line for each benchmark."""
    descriptions = available()
    width = max(map(len, descriptions))
    print("usage: python -m benchmarks NAME [options]\n")
    for name, line in descriptions.items():
        print(f"  {name:<{width}}  {line}")
    print("\nOptions of one benchmark: python -m benchmarks NAME --help")
    print("List the tables that are older than their code: python -m benchmarks --stale")


def main(argv=None):
    """Run the benchmark named first in `argv`; without a name, list all."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if not argv or argv[0] in ("-h", "--help"):
        return list_benchmarks()
    if argv == ["--stale"]:
        from benchmarks._stale import write_list

        return write_list()
    name, *options = argv
    if name not in available():
        sys.exit(f"There is no benchmark {name!r}; choose from {', '.join(available())}.")

    # Imported here, so that the list costs no import of scikit-learn.
    from benchmarks._data import MissingData
    from benchmarks._runner import add_run_arguments, parallel_backend

    try:
        module = import_module(module_of(name))
        parser = argparse.ArgumentParser(
            prog=f"python -m benchmarks {name}",
            description=module.__doc__,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        add_run_arguments(parser)
        module.add_arguments(parser)
        args = parser.parse_args(options)
        args.command = shlex.join(["python", "-m", "benchmarks", *argv])
        with parallel_backend(args.backend, args.n_jobs):
            module.main(args)
    except MissingData as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
