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


class Archive(NamedTuple):
    """A public zip or tar file, and which of its members are wanted.

    `member` matches the whole name of a wanted member; its group `file` is the path that the
    member gets below `folder`. So no name taken from an archive ever decides where a file goes.
    """

    url: str
    sha256: str | None
    member: re.Pattern
    folder: str


def data_homes(data_home=None):
    """Yield the folders to search, in order; downloads go to the first."""
    if data_home is not None:
        yield Path(data_home).expanduser()
        return
    if os.environ.get(DATA_HOME_VARIABLE):
        yield Path(os.environ[DATA_HOME_VARIABLE]).expanduser()
    yield Path(get_data_home()) / "sklearn_alpha"


def locate(names, folders, *, archive, data_home, download_if_missing):
    """Return the path of the first of `names` that exists, downloading `archive` if none does.

    Raises
    ------
    OSError
        If no file is found and none may, or can, be downloaded.
    ImportError
        If a download is needed and pooch or tqdm is not installed.
    """
    found = _search(names, folders, data_homes(data_home))
    if found:
        return found
    homes = list(data_homes(data_home))
    missing = (
        f"No {' or '.join(names)} in {' or '.join(map(str, homes))}, nor in a folder "
        f"{' or '.join(folders)} in there: unpack {archive.url} there, or set the environment "
        f"variable {DATA_HOME_VARIABLE} to a folder that holds the files."
    )
    if download_if_missing:
        try:
            _download(archive, homes[0])
        except OSError as error:
            raise OSError(f"{missing} The download failed: {error}.") from error
        found = _search(names, folders, homes)
    if not found:
        raise OSError(missing)
    return found


def _search(names, folders, homes):
    """Return the first existing home/name or home/folder/name, or None."""
    paths = (home / folder / name for home in homes for folder in ("", *folders) for name in names)
    return next((path for path in paths if path.is_file()), None)


def _download(archive, home):
    """Fetch `archive` and put its wanted members below `home`, each of them whole or not at all."""
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
                archive.url, archive.sha256, fname="archive", path=staging, progressbar=True
            )
        except ValueError as error:
            raise OSError("its checksum is not the published one") from error
        for name in _unpack(path, archive.member, Path(staging)):
            target = home / archive.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            os.replace(Path(staging) / name, target)


def _unpack(path, pattern, folder):
    """Write the members that match `pattern` below `folder`; return their names, sorted."""
    names = []
    try:
        for name, read in _members(path):
            if match := pattern.fullmatch(name):
                names.append(match["file"])
                (folder / names[-1]).parent.mkdir(exist_ok=True)
                (folder / names[-1]).write_bytes(read())
    except (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise OSError("the archive is damaged") from error
    return sorted(names)


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
