"""Folders that are written completely or not at all.

A saved net is one small file, the manifest, and the subfolders that it names with the checksum of
every file in them. Subfolders have names of their own and are never changed. Renaming the manifest
into its place is the only step that changes what the folder holds.
"""

import hashlib
import json
import os
import re
import secrets
import shutil
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path

MANIFEST = "alpha_lora.json"
FORMAT = 2
NET, BASE, TOKENIZER = "net", "base", "tokenizer"
PARTS = (NET, BASE, TOKENIZER)
CARD = "README.md"
CARD_IS_OURS = "<!-- Written by sklearn_alpha. Without this line, `save` keeps your changes. -->"
SUBFOLDER = re.compile(rf"({'|'.join(PARTS)})-[0-9a-f]{{16}}(\.old)?")


# ---------------------------------------------------------------- writing


@contextmanager
def new_version(folder):
    """A subfolder to write, which is what `folder` holds from the end of the block on.

    A file `.README.md` of it becomes the README.md of `folder`, unless that is the user's own.
    Subfolders of it named in `PARTS` are moved beside it, to a name with the hash of their files,
    so that a part that did not change keeps its path. If the block fails, or the process is
    killed, `folder` holds what it held before.

    Parameters
    ----------
    folder : path-like
        A new or empty folder, or one that this function wrote.

    Raises
    ------
    FileExistsError
        If the folder holds something else.
    """
    folder = Path(folder)
    is_new = not folder.exists()
    is_ours = is_new or (folder / MANIFEST).exists()
    if not is_ours and not all(SUBFOLDER.fullmatch(path.name) for path in folder.iterdir()):
        raise FileExistsError(f"{folder} holds something else; pass a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f"{NET}-{secrets.token_hex(8)}"
    parts = {NET: draft}
    try:
        draft.mkdir()
        yield draft
        for part in sorted(path for path in draft.iterdir() if path.is_dir()):
            parts[part.name] = _move(part, folder)
        manifest = {
            "format": FORMAT,
            "parts": {name: part.name for name, part in parts.items()},
            "sha256": _checksums(parts.values()),
        }
        (draft / MANIFEST).write_text(json.dumps(manifest, indent=2, ensure_ascii=False), "utf-8")
        for part in parts.values():
            _flush(part)
        os.replace(draft / MANIFEST, folder / MANIFEST)
    except BaseException:
        _remove_unnamed(folder, parts.values())
        if is_new:
            with suppress(OSError):
                folder.rmdir()
        raise
    _flush(folder, deep=False)
    with suppress(OSError):  # the net is there already; the card is for readers
        _place_card(draft, folder)
    with suppress(OSError):
        _remove_unnamed(folder, folder.iterdir())


def _move(part, folder):
    """Move a part beside the draft that it lies in. Returns its new path."""
    digests = _digests(part)
    name = hashlib.sha256(json.dumps(digests, sort_keys=True).encode()).hexdigest()[:16]
    place = folder / f"{part.name}-{name}"
    if place.exists():
        if _digests(place) == digests:
            shutil.rmtree(part)
            return place
        _discard(place)  # it was damaged
    part.rename(place)
    return place


def _place_card(draft, folder):
    """Move the card beside the parts. It is hidden before, so that no checksum is of it."""
    card, place = draft / f".{CARD}", folder / CARD
    if card.exists():
        if not place.exists() or CARD_IS_OURS.encode() in place.read_bytes():
            os.replace(card, place)
        else:
            card.unlink()


def _checksums(parts):
    """SHA-256 of the files of some parts, by their paths in the folder of the net."""
    return {
        f"{part.name}/{name}": found for part in parts for name, found in _digests(part).items()
    }


def _digests(part):
    """SHA-256 of the files of a part, by their paths in it. File managers add hidden ones."""
    files = [p for p in part.rglob("*") if p.is_file() and not p.name.startswith(".")]
    return {file.relative_to(part).as_posix(): digest(file) for file in sorted(files)}


def digest(file):
    """SHA-256 of a file."""
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _flush(folder, deep=True):
    """Wait until a folder is on the disk: a manifest must not arrive there before its parts."""
    for path in [folder, *folder.rglob("*")] if deep else [folder]:
        if path.is_dir():
            with suppress(OSError):  # not every system can do it
                _sync(path, os.O_RDONLY)
        else:
            _sync(path, os.O_RDWR)


def _sync(path, flags):
    handle = os.open(path, flags)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _named(folder):
    """Names of the parts of a folder, none if its manifest is missing or damaged."""
    try:
        parts = json.loads((folder / MANIFEST).read_bytes())["parts"]
        return set(parts.values())
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return set()


def _remove_unnamed(folder, paths):
    """Remove those parts that the manifest does not name, as far as possible."""
    with suppress(OSError):
        named = _named(folder)
        for path in list(paths):
            if SUBFOLDER.fullmatch(path.name) and path.name not in named:
                _discard(path)


def _discard(path):
    """Rename a part before it is removed, so that none is there incomplete under its name."""
    old = path if path.suffix else path.with_name(f"{path.name}.old")
    with suppress(OSError):
        if old != path:
            path.rename(old)
        if old.is_symlink():
            old.unlink()
        else:
            shutil.rmtree(old)


# ---------------------------------------------------------------- reading


class FolderError(ValueError):
    """A folder from which no net can be loaded; the message names it and says what to do."""


def damaged(folder, reason):
    """The error for a folder that is not as `save` wrote it."""
    return FolderError(
        f"{folder} is damaged; copy the folder again, or save the net again ({reason})."
    )


def read_manifest(folder):
    """The manifest of a folder, a dictionary of a format that this version reads."""
    try:
        content = (Path(folder) / MANIFEST).read_bytes()
    except FileNotFoundError:
        raise FolderError(f"{folder} holds no net; pass a folder that `save` wrote.") from None
    except OSError as error:
        raise damaged(folder, f"{MANIFEST} cannot be read: {error}") from error
    manifest = read_json(content, folder, MANIFEST)
    found = manifest.get("format")
    if type(found) is not int:
        raise damaged(folder, f"{MANIFEST} names no format")
    if not 1 <= found <= FORMAT:
        raise FolderError(
            f"{folder} was written in format {found} and this version reads 1 to {FORMAT}; "
            "install the version of sklearn_alpha that wrote it."
        )
    return manifest


def read_json(content, folder, name):
    """A dictionary from the bytes of a file."""
    try:
        found = json.loads(content.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise damaged(folder, f"{name} is not JSON") from error
    if not isinstance(found, dict):
        raise damaged(folder, f"{name} is not a dictionary")
    return found


def read_parts(folder, manifest):
    """Paths of the parts, by name, after a check of every file that the manifest names."""
    folder = Path(folder)
    parts, checksums = manifest.get("parts"), manifest.get("sha256")
    if not isinstance(parts, dict) or not isinstance(checksums, dict) or NET not in parts:
        raise damaged(folder, f"{MANIFEST} is not complete")
    for name, part in parts.items():
        known = isinstance(part, str) and part.startswith(f"{name}-") and SUBFOLDER.fullmatch(part)
        if not known:
            raise damaged(folder, f"{MANIFEST} names a part that `save` does not write")
    parts = {name: folder / part for name, part in parts.items()}
    found = _checksums(parts.values())
    for file, checksum in checksums.items():
        if found.get(file) != checksum:
            raise damaged(folder, f"{file} {'has changed' if file in found else 'is missing'}")
    if found.keys() != checksums.keys():
        raise damaged(folder, f"{min(found.keys() - checksums.keys())} does not belong to it")
    return parts


# ---------------------------------------------------------------- folders of other packages


@contextmanager
def whole_folder(folder, mark):
    """A temporary folder beside `folder` that takes its place at the end, or is removed.

    It has the names that another package reads, so it has no manifest.

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
