"""Where data sets lie on disk, and how they get there."""

import os
import re
import tarfile
import zipfile
import zlib
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from sklearn.datasets import get_data_home

DATA_HOME_VARIABLE = "SKLEARN_ALPHA_DATA"

# What `validate_params` checks of the parameters that loaders share.
PARAMETERS = {
    "data_home": [str, os.PathLike, None],
    "download_if_missing": ["boolean"],
    "return_X_y": ["boolean"],
}


class Archive(NamedTuple):
    """A public zip or tar file, and which of its members are wanted.

    `member` matches the whole name of a wanted member; its group `file` is the path that the
    member gets below `folder`. So no name taken from an archive ever decides where a file goes.
    """

    url: str
    sha256: str | None
    member: re.Pattern
    folder: str

    remedy = "unpack {} there"

    def unpack(self, path, staging):
        """Write the wanted members below `staging`; return their paths in there, sorted."""
        names = []
        try:
            for name, read in _members(path):
                if match := self.member.fullmatch(name):
                    names.append(f"{self.folder}/{match['file']}")
                    (staging / names[-1]).parent.mkdir(parents=True, exist_ok=True)
                    (staging / names[-1]).write_bytes(read())
        except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise OSError("the archive is damaged") from error
        return sorted(names)


class File(NamedTuple):
    """A public file that is kept as it is, at `path` below the folder of the data."""

    url: str
    sha256: str
    path: str

    remedy = "save {} there"

    def unpack(self, path, staging):
        """Move the file to its place below `staging`; return its path in there, in a list."""
        (staging / self.path).parent.mkdir(parents=True, exist_ok=True)
        os.rename(path, staging / self.path)
        return [self.path]


def data_homes(data_home=None):
    """Yield the folders to search, in order; downloads go to the first."""
    if data_home is not None:
        yield Path(data_home).expanduser()
        return
    if os.environ.get(DATA_HOME_VARIABLE):
        yield Path(os.environ[DATA_HOME_VARIABLE]).expanduser()
    yield Path(get_data_home()) / "sklearn_alpha"


def locate(names, folders, *, data_home, remedy):
    """Return the first existing `home/name` or `home/folder/name`.

    Raises
    ------
    FileNotFoundError
        If there is none; `remedy` is what the message asks for.
    """
    homes = list(data_homes(data_home))
    for home in homes:
        for folder in ("", *folders):
            for name in names:
                if (home / folder / name).is_file():
                    return home / folder / name
    raise FileNotFoundError(
        f"No {' or '.join(names)} in {' or '.join(map(str, homes))}, nor in a folder "
        f"{' or '.join(folders)} in there: {remedy}, or set the environment variable "
        f"{DATA_HOME_VARIABLE} to a folder that holds the files."
    )


def locate_or_download(names, folders, *, public, data_home, download_if_missing):
    """Return what :func:`locate` finds, after a download of `public` if it finds nothing.

    Raises
    ------
    OSError
        If no file is found and none may, or can, be downloaded.
    ImportError
        If a download is needed and pooch or tqdm is not installed.
    """
    remedy = public.remedy.format(public.url)
    try:
        return locate(names, folders, data_home=data_home, remedy=remedy)
    except FileNotFoundError as missing:
        if not download_if_missing:
            raise
        try:
            _download(public, next(data_homes(data_home)))
        except OSError as error:
            raise OSError(f"{missing} The download failed: {error}.") from error
    return locate(names, folders, data_home=data_home, remedy=remedy)


def damaged(path, content, remedy="delete it to have it downloaded again"):
    """Return the error about a file that cannot be read as `content`."""
    return ValueError(f"The file '{path}' is damaged or is not {content}; {remedy}.")


def _download(public, home):
    """Fetch `public` and put its files below `home`, each of them whole or not at all."""
    try:
        import pooch
        import tqdm  # noqa: F401  (pooch's progress bar)
    except ImportError as error:
        raise ImportError(
            'Downloading data needs pooch and tqdm: pip install "sklearn-alpha[data]"'
        ) from error

    home.mkdir(parents=True, exist_ok=True)
    # Everything happens in a folder that no search looks into; only finished files are moved out.
    with TemporaryDirectory(dir=home, prefix=".download-") as staging:
        try:
            path = pooch.retrieve(
                public.url, public.sha256, fname="download", path=staging, progressbar=True
            )
        except ValueError as error:
            raise OSError("its checksum is not the expected one") from error
        for name in public.unpack(path, Path(staging)):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(staging) / name, home / name)


def _members(path):
    """Yield the name of each file in a zip or tar archive, and a function that reads it."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                yield name, lambda name=name: archive.read(name)
    else:
        with tarfile.open(path) as archive:
            for member in archive:
                if member.isfile():
                    yield member.name, lambda member=member: archive.extractfile(member).read()


def import_pandas():
    """Return pandas, or say why it is needed."""
    try:
        import pandas
    except ImportError as error:
        raise ImportError("as_frame=True needs pandas: pip install pandas") from error
    return pandas
