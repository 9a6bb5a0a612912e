"""Folders of the Hugging Face hub, through its own cache."""

import re
from pathlib import Path

from huggingface_hub import snapshot_download

REPOSITORY = re.compile(r"[\w\-.]+/[\w\-.]+")


def local_folder(folder):
    """The path of a folder. The id of a repository of the hub is downloaded if it is not cached.

    Parameters
    ----------
    folder : path-like
        A path, or a string "owner/name" if there is no such path.
    """
    is_id = isinstance(folder, str) and REPOSITORY.fullmatch(folder)
    if not is_id or Path(folder).exists():
        return Path(folder)
    try:
        return Path(snapshot_download(folder))
    except (OSError, ValueError) as error:
        reason = str(error).strip().split("\n")[0].rstrip(".")
        raise OSError(
            f"there is no folder {folder!r}, and the repository of that name could not be "
            f"downloaded ({reason}); pass another path or id, or check the connection."
        ) from error
