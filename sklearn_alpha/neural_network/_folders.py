"""Folders that are written completely or not at all."""

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole_folder(folder, mark):
    """A temporary folder beside `folder` that takes its place at the end, or is removed.

    Parameters
    ----------
    folder : path-like
    mark : str
        A file in every folder that may be replaced.
    """
    folder = Path(folder)
    if folder.exists() and not (folder / mark).exists() and any(folder.iterdir()):
        raise FileExistsError(f"{folder} holds something else; pass a new folder.")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        yield draft
        draft.chmod(0o755)
        if not folder.exists():
            draft.rename(folder)
            return
        old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-old-", dir=folder.parent))
        folder.rename(old / "was")
        try:
            draft.rename(folder)
        except BaseException:
            (old / "was").rename(folder)
            raise
        finally:
            shutil.rmtree(old)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
