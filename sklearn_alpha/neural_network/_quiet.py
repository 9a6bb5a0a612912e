"""Nothing on the terminal."""

from contextlib import contextmanager

import transformers


@contextmanager
def quiet():
    """Nothing on the terminal about a new head or a progress of milliseconds."""
    level = transformers.logging.get_verbosity()
    bar = transformers.logging.is_progress_bar_enabled()
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers.logging.set_verbosity(level)
        if bar:
            transformers.logging.enable_progress_bar()
