"""The form of every table: Markdown, columns aligned left, differences with their intervals."""

import pandas as pd


def page(title, caption, tables):
    """A title, a paragraph, and tables under their headings, in Markdown.

    Parameters
    ----------
    title : str
    caption : str
        Says what was measured, on how much, and what is in brackets.
    tables : dict of str to pandas.DataFrame, str or dict
        By heading; "" has none. A frame is a table of texts, a text is taken as it is, and a dict
        has the tables of a section, one level below.
    """
    return "\n\n".join([f"# {title}", caption, *_parts(tables, "##")]).rstrip() + "\n"


def _parts(tables, mark):
    for heading, table in tables.items():
        if heading:
            yield f"{mark} {heading}"
        if isinstance(table, dict):
            yield from _parts(table, f"{mark}#")
        else:
            yield table if isinstance(table, str) else markdown(table)


def markdown(frame):
    """A frame of texts in Markdown, without its index."""
    return frame.to_markdown(index=False, stralign="left", disable_numparse=True)


def number(value, form=".1f"):
    """A number as text; nothing where it is missing."""
    return "" if pd.isna(value) else format(value, form)


def compared(value, difference, low, high, *, unit=1, digits=1):
    """A value, and in brackets its difference from another with the interval, where there are any.

    >>> compared(0.784, 0.012, 0.003, 0.02, unit=100)
    '78.4 (+1.2 [+0.3, +2.0])'
    """
    text = number(unit * value, f".{digits}f")
    if pd.isna(difference):
        return text
    return f"{text} ({interval(difference, low, high, unit=unit, digits=digits)})"


def interval(difference, low, high, *, unit=1, digits=1):
    """A difference, and its interval where there is one."""
    difference, *ends = (number(unit * x, f"+z.{digits}f") for x in (difference, low, high))
    return difference if pd.isna(low) else f"{difference} [{', '.join(ends)}]"
