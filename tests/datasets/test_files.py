"""Data sets of one file: School, Office-Caltech, spoken digits."""

import gc
from hashlib import sha256
from typing import NamedTuple

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy.io import loadmat, savemat

from sklearn_alpha.datasets import (
    _base,
    _office_caltech,
    _school,
    _spoken_digits,
    fetch_office_caltech,
    fetch_school,
    fetch_spoken_digits,
)

N_PICTURES = {"amazon": 958, "caltech": 1123, "dslr": 157, "webcam": 295}


def cells(matrices):
    """A MATLAB cell array of matrices."""
    array = np.empty((1, len(matrices)), dtype=object)
    array[0, :] = matrices
    return array


def school_content(n_schools=139, n_pupils=15362, n_features=28):
    """Schools of different sizes, the scores counting the rows."""
    sizes = np.full(n_schools, 100)
    sizes[-1] = n_pupils - sizes[:-1].sum()
    ends = np.cumsum(sizes)[:-1]
    X = np.split(np.arange(n_pupils * n_features).reshape(n_pupils, -1) % 256, ends)
    Y = np.split(np.arange(n_pupils)[:, None], ends)
    return {"X": cells([x.astype(np.uint8) for x in X]), "Y": cells(Y)}


def picture_content(n_rows=157, n_features=800, n_classes=10):
    return {
        "fts": (np.arange(n_rows * n_features).reshape(n_rows, -1) % 7).astype(np.uint8),
        "labels": (np.arange(n_rows)[:, None] % n_classes + 1).astype(np.uint8),
    }


def digit_content():
    digit, speaker, take = (index.ravel() for index in np.indices((10, 6, 50)))
    X = np.arange(3000 * 384).reshape(3000, 384) % 100
    names = np.array(["a", "bea", "carl", "dora", "eve", "fritz"])
    return {"X": X.astype(np.float16), "digit": digit, "speaker": names[speaker], "take": take}


def save(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    write = np.savez if path.suffix == ".npz" else savemat
    write(path, **content) if write is np.savez else write(path, content)


class Case(NamedTuple):
    """A loader, its arguments, where its file lies and what the tests put there."""

    fetch: callable
    args: tuple
    module: object
    name: str
    content: dict


CASES = {
    "school": Case(fetch_school, (), _school, "school/school.mat", school_content()),
    "office": Case(
        fetch_office_caltech,
        ("dslr",),
        _office_caltech,
        "office_caltech/dslr_SURF_L10.mat",
        picture_content(),
    ),
    "spoken": Case(
        fetch_spoken_digits,
        (),
        _spoken_digits,
        "spoken_digits/whisper_features.npz",
        digit_content(),
    ),
}
PUBLIC = [CASES["school"], CASES["office"]]
each_case = pytest.mark.parametrize("case", CASES.values(), ids=CASES)
each_public = pytest.mark.parametrize("case", PUBLIC, ids=["school", "office"])


# --- what stands in the files -------------------------------------------------------------------


@each_case
def test_folders_that_are_searched(case, tmp_path, monkeypatch):
    save(tmp_path / case.name, case.content)
    bunch = case.fetch(*case.args, data_home=tmp_path)
    assert bunch.filename == str(tmp_path / case.name)
    inside = (tmp_path / case.name).parent
    assert_array_equal(case.fetch(*case.args, data_home=str(inside)).data, bunch.data)
    monkeypatch.setenv("SKLEARN_ALPHA_DATA", str(tmp_path))
    X, y = case.fetch(*case.args, return_X_y=True)
    assert_array_equal(X, bunch.data)
    assert_array_equal(y, bunch.target)


@each_case
def test_features_and_descriptions(case, tmp_path):
    save(tmp_path / case.name, case.content)
    bunch = case.fetch(*case.args, data_home=tmp_path)
    assert bunch.data.dtype == np.float64
    assert bunch.data.flags.c_contiguous
    assert len(bunch.target) == len(bunch.data)
    assert "icence" in bunch.DESCR
    assert "icence" in case.fetch.__doc__


def test_school_numbers_its_rows_by_school(tmp_path):
    save(tmp_path / "school.mat", school_content())
    school = fetch_school(data_home=tmp_path)
    content = loadmat(tmp_path / "school.mat")
    for number, (X, y) in enumerate(zip(content["X"].ravel(), content["Y"].ravel())):
        assert_array_equal(school.data[school.task == number], X)
        assert_array_equal(school.target[school.task == number], y.ravel())
    assert len(school.feature_names) == len(set(school.feature_names)) == 28


@pytest.mark.parametrize("suffix", ["", "_SURF_L10"])
@pytest.mark.parametrize("domain", N_PICTURES)
def test_office_names_of_files_and_classes(domain, suffix, tmp_path):
    stem = "Caltech10" if domain == "caltech" else domain
    content = picture_content(N_PICTURES[domain])
    save(tmp_path / f"{stem}{suffix}.mat", content)
    pictures = fetch_office_caltech(domain, data_home=tmp_path, download_if_missing=False)
    assert_array_equal(pictures.data, content["fts"])
    assert_array_equal(pictures.target, content["labels"].ravel() - 1)
    assert pictures.target.dtype == np.int64
    assert len(pictures.target_names) == 10
    assert domain in pictures.DESCR


def test_spoken_digits_keep_speaker_and_take(tmp_path):
    content = digit_content()
    save(tmp_path / "whisper_features.npz", content)
    digits = fetch_spoken_digits(data_home=tmp_path)
    names = {"X": "data", "digit": "target", "speaker": "speaker", "take": "take"}
    for theirs, ours in names.items():
        assert_array_equal(digits[ours], content[theirs])


# --- refusals -----------------------------------------------------------------------------------


@pytest.mark.parametrize("domain", ["", "Caltech10", "books", "../dslr", "dslr.mat", None, 0])
def test_unknown_domain(domain, tmp_path):
    with pytest.raises(ValueError, match="'domain' parameter of fetch_office_caltech"):
        fetch_office_caltech(domain, data_home=tmp_path)


@each_case
def test_wrong_options(case):
    with pytest.raises(ValueError, match="'data_home'"):
        case.fetch(*case.args, data_home=3)
    with pytest.raises(ValueError, match="'return_X_y'"):
        case.fetch(*case.args, return_X_y="yes")


@each_public
def test_missing_file_without_download(case, tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.retrieve", lambda *_, **__: pytest.fail("tried to download"))
    address = r"save https://raw.githubusercontent.com/\w+/\w+/\w+/data/\w+.mat there"
    with pytest.raises(FileNotFoundError, match=f"{address}.*SKLEARN_ALPHA_DATA") as info:
        case.fetch(*case.args, data_home=tmp_path, download_if_missing=False)
    assert str(tmp_path) in str(info.value)


def test_missing_spoken_digits_are_to_be_made(tmp_path):
    message = "No whisper_features.npz in .*make it from the recordings at https://github.com/Jak"
    with pytest.raises(FileNotFoundError, match=message):
        fetch_spoken_digits(data_home=tmp_path)


@each_case
@pytest.mark.parametrize("damage", ["empty", "other", "cut", "without a variable"])
def test_damaged_file(case, damage, tmp_path):
    path = tmp_path / case.name
    save(path, case.content)
    if damage == "without a variable":
        save(path, dict([*case.content.items()][1:]))
    else:
        content = {"empty": b"", "other": b"no data" * 100, "cut": path.read_bytes()[:-2000]}
        path.write_bytes(content[damage])
    cure = "make it again" if case.module is _spoken_digits else "delete it"
    with pytest.raises(ValueError, match=f"^The file '.*{path.name}' is damaged or .*; {cure}"):
        case.fetch(*case.args, data_home=tmp_path)


@pytest.mark.parametrize(
    "content",
    [
        school_content(n_schools=138),
        school_content(n_pupils=15361),
        school_content(n_features=27),
        school_content() | {"Y": school_content(n_pupils=15361)["Y"]},
        school_content() | {"X": cells([*school_content()["X"].ravel()[::-1]])},
        school_content() | {"Y": cells([y * np.nan for y in school_content()["Y"].ravel()])},
    ],
)
def test_other_schools(content, tmp_path):
    save(tmp_path / "school.mat", content)
    with pytest.raises(ValueError, match="is not the one of the 139 schools"):
        fetch_school(data_home=tmp_path)


@pytest.mark.parametrize(
    "content", [picture_content(158), picture_content(157, 799), picture_content(n_classes=9)]
)
def test_other_pictures(content, tmp_path):
    save(tmp_path / "dslr.mat", content)
    with pytest.raises(ValueError, match="is not the one of Office-Caltech's domain 'dslr'"):
        fetch_office_caltech("dslr", data_home=tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"X": np.zeros((3000, 383))},
        {"X": np.full((3000, 384), np.nan)},
        {"digit": np.arange(3000) % 9},
        {"take": np.zeros(3000, int)},
        {"take": digit_content()["take"][:-1]},
        {"speaker": np.repeat("a", 3000)},
        {"speaker": np.array(["a"] * 3000, dtype=object)},  # a pickle, never loaded
    ],
)
def test_other_digits(change, tmp_path):
    save(tmp_path / "whisper_features.npz", digit_content() | change)
    with pytest.raises(ValueError, match="is not the one of the spoken digits"):
        fetch_spoken_digits(data_home=tmp_path)


# --- downloads ----------------------------------------------------------------------------------


@pytest.fixture(params=PUBLIC, ids=["school", "office"])
def served(request, server, tmp_path, monkeypatch):
    """A case whose file is served, and the server."""
    case = request.param
    save(tmp_path / "served.mat", case.content)
    server.body = (tmp_path / "served.mat").read_bytes()
    (tmp_path / "served.mat").unlink()
    file = _base.File(server.url, sha256(server.body).hexdigest(), case.name)
    if case.module is _school:
        monkeypatch.setattr(_school, "_FILE", file)
    else:
        monkeypatch.setattr(_office_caltech, "_public", lambda domain: file)
    return case, server


def files(home):
    return [path for path in home.rglob("*") if path.is_file()]


def test_download_is_kept(served, tmp_path):
    case, server = served
    home = tmp_path / "new" / "home"
    bunch = case.fetch(*case.args, data_home=home)
    assert files(home) == [home / case.name]
    assert (home / case.name).read_bytes() == server.body
    again = case.fetch(*case.args, data_home=home, download_if_missing=False)
    assert_array_equal(again.data, bunch.data)
    assert server.n_requests == 1


def test_download_with_another_checksum_is_dropped(served, tmp_path):
    case, server = served
    server.body += b"\0"
    with pytest.raises(OSError, match="checksum is not the expected one"):
        case.fetch(*case.args, data_home=tmp_path)
    assert not files(tmp_path)


# pooch leaves a broken connection to the garbage collector
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.parametrize("failure", ["not found", "cut short"])
def test_failed_download_leaves_nothing(served, tmp_path, failure):
    case, server = served
    server.cut = failure == "cut short"
    server.body = server.body if server.cut else b""
    with pytest.raises(OSError, match=r"SKLEARN_ALPHA_DATA.*The download failed: ") as info:
        case.fetch(*case.args, data_home=tmp_path)
    assert not files(tmp_path)
    del info
    gc.collect()


def test_checksums_are_those_of_the_real_files(real):
    for public, bunch in [
        (_school._FILE, real(fetch_school)),
        *(
            (_office_caltech._public(domain), real(fetch_office_caltech, domain))
            for domain in N_PICTURES
        ),
    ]:
        with open(bunch.filename, "rb") as file:
            assert sha256(file.read()).hexdigest() == public.sha256


# --- the real files -----------------------------------------------------------------------------


def test_real_school(real):
    school = real(fetch_school)
    assert school.data.shape == (15362, 28)
    sizes = np.bincount(school.task)
    assert (len(sizes), sizes.min(), sizes.max()) == (139, 22, 251)
    assert (np.diff(school.task) >= 0).all()
    assert (school.target.min(), school.target.max()) == (1, 70)


def test_real_school_columns_are_what_their_names_say(real):
    school = real(fetch_school)
    column = dict(zip(school.feature_names, school.data.T))
    assert (column["constant"] == 1).all()
    blocks = [
        ("year_1985", "year_1987"),
        ("girl", "boy"),
        ("british_isles", "other"),
        ("mixed_school", "girls_school"),
        ("maintained", "roman_catholic"),
    ]
    for first, last in blocks:
        i, j = map(school.feature_names.index, (first, last))
        assert (school.data[:, i : j + 1].sum(axis=1) == 1).all()
    bands = [column[f"band_{number}"] for number in (1, 2, 3)]
    assert np.count_nonzero(sum(bands) == 0) == 15
    assert column["girl"][column["girls_school"] == 1].all()
    assert column["boy"][column["boys_school"] == 1].mean() > 0.999
    # the best pupils are in band 1, and the schools that have many of them say so
    scores = [school.target[band == 1].mean() for band in bands]
    assert scores == sorted(scores, reverse=True)
    share, percent = (
        np.bincount(school.task, weights) / np.bincount(school.task)
        for weights in (bands[0], column["percent_band_1"])
    )
    assert np.corrcoef(share, percent)[0, 1] > 0.8


@pytest.mark.parametrize(
    ("domain", "counts"),
    [
        ("amazon", [92, 82, 94, 99, 100, 100, 99, 100, 94, 98]),
        ("caltech", [151, 110, 100, 138, 85, 128, 133, 94, 87, 97]),
        ("dslr", [12, 21, 12, 13, 10, 24, 22, 12, 8, 23]),
        ("webcam", [29, 21, 31, 27, 27, 30, 43, 30, 27, 30]),
    ],
)
def test_real_pictures(real, domain, counts):
    pictures = real(fetch_office_caltech, domain)
    assert pictures.data.shape == (sum(counts), 800)
    assert_array_equal(np.bincount(pictures.target), counts)
    assert_array_equal(pictures.data, np.round(pictures.data))
    assert pictures.data.min() == 0


def test_real_spoken_digits(real):
    digits = real(fetch_spoken_digits)
    assert digits.data.shape == (3000, 384)
    assert {*digits.speaker} == {"george", "jackson", "lucas", "nicolas", "theo", "yweweler"}
    recordings = {*zip(digits.speaker, digits.target, digits.take)}
    assert len(recordings) == 6 * 10 * 50
