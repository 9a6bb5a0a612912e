"""What became of one try, and how many of each there were."""

from collections import Counter

REFUSED, ANSWERED, WRONG = "refused", "answered", "wrong"


def outcome(try_it, is_right):
    """Whether a call was refused with a ValueError, answered rightly, or anything else.

    Parameters
    ----------
    try_it : callable
    is_right : callable
        Gets what `try_it` returns.

    Returns
    -------
    outcome, note : str
        The note says what was wrong.
    """
    try:
        found = try_it()
    except (ValueError, TypeError) as error:
        if len(str(error)) > 10:
            return REFUSED, ""
        return WRONG, f"{type(error).__name__}: {error}"
    except Exception as error:
        return WRONG, f"{type(error).__name__}: {error}".split("\n")[0][:120]
    return (ANSWERED, "") if is_right(found) else (WRONG, "another answer")


def counted(what, case, outcomes):
    """A row of the results: how many tries ended how.

    Parameters
    ----------
    what, case : str
    outcomes : iterable of (str, str)
        As `outcome` returns them.
    """
    outcomes = list(outcomes)
    n = Counter(name for name, _ in outcomes)
    notes = Counter(note for _, note in outcomes if note)
    row = {"what": what, "case": case, "tried": len(outcomes)}
    row |= {name: n[name] for name in (REFUSED, ANSWERED, WRONG)}
    return row | {"note": "; ".join(notes)}
