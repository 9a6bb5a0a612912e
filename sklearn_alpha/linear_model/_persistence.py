"""Files that say which version of the package wrote them.

Predictions need only `coef_`, `intercept_`, `classes_` and `inverse_temperature_`. Files of all
versions with the same FORMAT load; `tests/linear_model/files` holds one of each. A change that
makes fitted estimators unreadable raises FORMAT. `_transfer` and `_stream` keep the names under
which files of version 0.1 look for their classes.
"""

from inspect import signature

from sklearn.utils import Bunch

FORMAT = 1
MARK = "_written_by"  # (format, version); files older than the mark are of format 1 too

NOT_WRITTEN = ("_posterior",)  # as large as the data


def of_kind(kind, value):
    """A dictionary, and those in it, of one kind; anything else as it is."""
    if not isinstance(value, dict):
        return value
    return kind(**{name: of_kind(kind, inner) for name, inner in value.items()})


def state_to_write(state):
    """The state of an estimator, marked with the version that writes it."""
    from sklearn_alpha import __version__

    state = {name: value for name, value in state.items() if name not in NOT_WRITTEN}
    state = {**state, MARK: (FORMAT, __version__)}
    if "path_" in state:
        state["path_"] = of_kind(dict, state["path_"])  # skops trusts dictionaries, but no Bunch
    return state


def state_as_read(Estimator, state):
    """The state of an estimator of this version, from that of any version of the same format."""
    state = dict(state)
    written_in, writer = state.pop(MARK, (FORMAT, None))
    if written_in != FORMAT:
        from sklearn_alpha import __version__

        raise ValueError(
            f"this {Estimator.__name__} was written by sklearn_alpha {writer} in format "
            f"{written_in}, and sklearn_alpha {__version__} reads {FORMAT}; install the "
            "version that wrote it."
        )
    if "path_" in state:
        state["path_"] = of_kind(Bunch, state["path_"])
    # a parameter that the writer did not know has its default
    parameters = signature(Estimator.__init__).parameters
    defaults = {name: parameters[name].default for name in Estimator._get_param_names()}
    return {**defaults, **state}
