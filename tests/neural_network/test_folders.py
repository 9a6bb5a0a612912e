"""Saved nets: whole after any fault, and nothing but one error from a folder that is damaged."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from contextlib import contextmanager
from pathlib import Path

import joblib
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.torch import load, save

from sklearn_alpha import AlphaLoRANetClassifier
from sklearn_alpha.neural_network import _folders, _record
from tests.neural_network.conftest import make_module, make_numbers, make_texts
from tests.neural_network.test_security import Attack

X, Y = make_texts(20)
NUMBERS, CODES = make_numbers(30)
OPTIONS = {"max_epochs": 1, "rank": 1, "lr": 0.02, "callbacks__linear_probe": None}


def fit(seed):
    """A net that differs with the seed."""
    return AlphaLoRANetClassifier(make_module(), random_state=seed, **OPTIONS).fit(NUMBERS, CODES)


@pytest.fixture(scope="module")
def nets():
    first, second = fit(0), fit(1)
    assert not np.array_equal(first.predict_proba(NUMBERS), second.predict_proba(NUMBERS))
    return first, second


@pytest.fixture(scope="module")
def source(tiny_bert):
    return AlphaLoRANetClassifier(tiny_bert, random_state=0, **OPTIONS).fit(X, Y)


@pytest.fixture(scope="module")
def text_nets(source):
    """Nets whose folders have a base model of their own."""
    return [
        AlphaLoRANetClassifier(source, random_state=seed, **OPTIONS).fit(X, Y) for seed in (0, 1)
    ]


def read(folder):
    """The net of numbers in a folder."""
    return AlphaLoRANetClassifier.load(folder, model=make_module())


def is_same(net, other, rows=NUMBERS):
    return np.array_equal(net.predict_proba(rows), other.predict_proba(rows))


def parts(folder):
    return sorted(path.name.partition("-")[0] for path in Path(folder).iterdir() if path.is_dir())


# ---------------------------------------------------------------- faults


class Faults:
    """Makes calls of the file system below a folder fail.

    Attributes
    ----------
    first : int or None
        Number of the first call that fails.
    only_first : bool
        Whether later calls succeed, as on a disk that was full for a moment. If not, no call
        succeeds any more, as after a kill: also those that would tidy up.
    """

    EVENTS = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.listdir", "os.scandir")

    def __init__(self):
        self.folder, self.first, self.only_first, self.n = None, None, False, 0
        sys.addaudithook(self.hear)  # it stays until the end, and is silent without a folder

    def hear(self, event, arguments):
        if self.folder is None or event not in self.EVENTS or not arguments:
            return
        if isinstance(arguments[0], str | os.PathLike) and str(arguments[0]).startswith(
            self.folder
        ):
            self.count()

    def count(self):
        self.n += 1
        hit = self.n == self.first if self.only_first else self.n >= (self.first or np.inf)
        if hit:
            raise OSError(28, "No space left on device")

    @contextmanager
    def below(self, folder, first=None, only_first=False):
        """Let calls fail from the first on; `n` is their number in the end."""
        self.n, self.first, self.only_first, self.folder = 0, first, only_first, str(folder)
        try:
            yield
        finally:
            self.folder = None


FAULTS = Faults()


@pytest.fixture(autouse=True)
def _faulty_sync(monkeypatch):
    """No audit event tells of fsync, where a full disk may be noticed first."""
    fsync = os.fsync

    def counted(handle):
        if FAULTS.folder is not None:
            FAULTS.count()
        fsync(handle)

    monkeypatch.setattr(os, "fsync", counted)


@pytest.mark.parametrize("only_first", [True, False], ids=["full disk", "killed"])
@pytest.mark.parametrize("before", ["nothing", "a net", "a net of version 0.1.0.dev0"])
def test_any_call_of_a_save_may_fail(nets, tmp_path, before, only_first):
    """The folder holds the earlier net or the new one, and the next save tidies up."""
    earlier, new = nets
    ready = tmp_path / "ready"
    if before == "a net":
        earlier.save(ready)
    elif before != "nothing":
        write_format_1(earlier, ready)
    with FAULTS.below(tmp_path / "count"):
        if ready.exists():
            shutil.copytree(ready, tmp_path / "count")
            FAULTS.n = 0
        new.save(tmp_path / "count")
    n_calls = FAULTS.n
    assert n_calls > 15
    n_earlier = 0
    for first in range(1, n_calls + 1):
        folder = tmp_path / f"net{first}"
        if ready.exists():
            shutil.copytree(ready, folder)
        with FAULTS.below(folder, first, only_first):
            try:
                new.save(folder)
                failed = False
            except OSError:
                failed = True
        if before == "nothing" and failed:
            if not folder.exists() or not (folder / _folders.MANIFEST).exists():
                n_earlier += 1
                if folder.exists():
                    with pytest.raises(ValueError, match="holds no net; pass a folder that `save`"):
                        read(folder)
            else:
                assert is_same(read(folder), new)
        else:
            net = read(folder)
            n_earlier += is_same(net, earlier)
            assert is_same(net, earlier) or is_same(net, new)
            assert is_same(net, earlier) == failed or is_same(net, new)
        if only_first and failed and folder.exists():
            assert parts(folder) in ([], ["net"], ["net", "net"])
        new.save(folder)
        assert is_same(read(folder), new)
        assert parts(folder) == ["net"]
        assert [path.name for path in tmp_path.glob(f".{folder.name}*")] == []
        shutil.rmtree(folder)
    assert n_earlier > n_calls // 2


def test_a_full_disk_leaves_nothing_of_the_new_net(nets, tmp_path, monkeypatch):
    earlier, new = nets
    earlier.save(tmp_path / "net")
    before = sorted(tmp_path.rglob("*"))

    def full(state):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_record, "save", full)
    for name in ("net", "new"):
        with pytest.raises(OSError, match="No space left"):
            new.save(tmp_path / name)
    assert sorted(tmp_path.rglob("*")) == before
    assert is_same(read(tmp_path / "net"), earlier)


def test_an_interrupt_right_after_the_commit_keeps_the_new_net(nets, tmp_path, monkeypatch):
    nets[0].save(tmp_path / "net")
    replace = os.replace

    def interrupted(*paths):
        replace(*paths)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        nets[1].save(tmp_path / "net")
    assert is_same(read(tmp_path / "net"), nets[1])


@pytest.mark.skipif(os.name != "posix", reason="the process is killed by a signal of POSIX")
def test_a_killed_process(nets, tmp_path):
    """A real one, once: it dies between two files."""
    earlier, new = nets
    earlier.save(tmp_path / "net")
    joblib.dump(new, tmp_path / "net.joblib")
    program = (
        "import joblib, os, signal, sys\n"
        "from sklearn_alpha.neural_network import _folders\n"
        "net = joblib.load(sys.argv[1])\n"
        "net.alpha_\n"
        "_folders._flush = lambda *args: os.kill(os.getpid(), signal.SIGKILL)\n"
        "net.save(sys.argv[2])\n"
    )
    command = [sys.executable, "-c", program, tmp_path / "net.joblib", tmp_path / "net"]
    killed = subprocess.run(command, check=False, capture_output=True)
    assert killed.returncode == -9, killed.stderr
    assert parts(tmp_path / "net") == ["net", "net"]
    assert is_same(read(tmp_path / "net"), earlier)
    new.save(tmp_path / "net")
    assert parts(tmp_path / "net") == ["net"]
    assert is_same(read(tmp_path / "net"), new)


def test_a_load_during_a_save_gives_the_new_net(nets, tmp_path, monkeypatch):
    earlier, new = nets
    earlier.save(tmp_path / "net")
    read_parts = _record.read_parts

    def late(*args):
        monkeypatch.setattr(_record, "read_parts", read_parts)
        new.save(tmp_path / "net")
        return read_parts(*args)

    monkeypatch.setattr(_record, "read_parts", late)
    assert is_same(read(tmp_path / "net"), new)


def test_a_base_model_that_did_not_change_keeps_its_path(text_nets, tmp_path):
    """A loaded net names it as its model, also when the folder is saved again and again."""
    text_nets[0].save(tmp_path / "net")
    net = AlphaLoRANetClassifier.load(tmp_path / "net")
    for _ in range(3):
        net.partial_fit(X, Y).save(tmp_path / "net")
        assert Path(net.model).is_dir()
        assert parts(tmp_path / "net") == ["base", "net"]
        again = AlphaLoRANetClassifier.load(tmp_path / "net")
        assert again.model == net.model
        assert is_same(again, net, X)
    net.save(tmp_path / "other")
    shutil.rmtree(tmp_path / "net")
    assert is_same(AlphaLoRANetClassifier.load(tmp_path / "other"), net, X)


def test_a_damaged_base_model_is_written_again(text_nets, tmp_path):
    text_nets[0].save(tmp_path / "net")
    (weights,) = (tmp_path / "net").glob("base-*/model.safetensors")
    weights.write_bytes(weights.read_bytes()[:-4])
    text_nets[0].save(tmp_path / "net")
    assert is_same(AlphaLoRANetClassifier.load(tmp_path / "net"), text_nets[0], X)
    assert parts(tmp_path / "net") == ["base", "net"]


def test_other_files_of_a_folder_stay(nets, tmp_path):
    nets[0].save(tmp_path)
    (tmp_path / "README.md").write_text("about this net")
    (tmp_path / "net-of-mine").mkdir()
    nets[1].save(tmp_path)
    assert (tmp_path / "README.md").read_text() == "about this net"
    assert (tmp_path / "net-of-mine").exists()
    assert is_same(read(tmp_path), nets[1])


def test_a_link_in_the_place_of_a_part_is_removed_and_not_followed(nets, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    nets[0].save(tmp_path / "net")
    link = tmp_path / "net" / f"net-{'0' * 16}"
    link.symlink_to(tmp_path / "mine", target_is_directory=True)
    nets[0].save(tmp_path / "net")
    assert not link.exists()
    assert (tmp_path / "mine" / "thesis.txt").exists()


def test_a_folder_of_something_else_is_not_touched(nets, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(FileExistsError, match="holds something else; pass a new folder"):
        nets[0].save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]
    with pytest.raises(ValueError, match="holds no net; pass a folder that `save` wrote"):
        read(tmp_path)


# ---------------------------------------------------------------- damage


def write_format_1(net, folder):
    """A folder as version 0.1.0.dev0 wrote it."""
    net.save(folder)
    (part,) = folder.glob("net-*")
    record = json.loads((part / _record.RECORD).read_text("utf-8"))
    record |= {"format": 1, "sha256": _folders.digest(part / _record.STATE)}
    (folder / _folders.MANIFEST).write_text(json.dumps(record), "utf-8")
    (part / _record.STATE).rename(folder / _record.STATE)
    shutil.rmtree(part)


@pytest.fixture
def folders(nets, tmp_path):
    nets[0].save(tmp_path / "2")
    write_format_1(nets[0], tmp_path / "1")
    return {1: tmp_path / "1", 2: tmp_path / "2"}


def assert_refused(folder, **options):
    """One kind of error, which names the folder and says what to do."""
    with pytest.raises(ValueError, match=r"; (copy|pass|install|give)") as caught:
        AlphaLoRANetClassifier.load(folder, **{"model": make_module(), **options})
    assert str(folder) in str(caught.value)


def is_read(folder):
    try:
        read(folder)
    except ValueError:
        return False
    return True


def files_of(folder):
    """All files that are read. The card is for people, and they may change it."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return [path for path in files if path != folder / "README.md"]


DAMAGES = {
    "missing": lambda content, rng: None,
    "empty": lambda content, rng: b"",
    "truncated": lambda content, rng: content[: rng.integers(1, len(content))],
    "zeros": lambda content, rng: bytes(len(content)),
    "longer": lambda content, rng: content + b"x",
    "not text": lambda content, rng: b"\xff\xfe" + content,
    "a list": lambda content, rng: b"[1, 2]",
    "null": lambda content, rng: b"null",
    "empty dictionary": lambda content, rng: b"{}",
    "deep": lambda content, rng: b'{"a":' * 100_000,
    "a pickle": lambda content, rng: pickle.dumps({"a": 1}),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("version", [1, 2])
def test_damaged_files(folders, version, damage):
    rng = np.random.default_rng(0)
    folder = folders[version]
    for file in files_of(folder):
        content = file.read_bytes()
        new = DAMAGES[damage](content, rng)
        if new is None:
            file.unlink()
        else:
            file.write_bytes(new)
        assert_refused(folder)
        file.write_bytes(content)
    read(folder)


def test_a_bit_that_flips_anywhere_is_noticed(folders, nets):
    """Also one in a number of the record, which would change decisions and nothing else."""
    rng = np.random.default_rng(0)
    for file in files_of(folders[2]):
        content = bytearray(file.read_bytes())
        for place in rng.integers(len(content), size=60):
            bit = 1 << int(rng.integers(8))
            content[place] ^= bit
            file.write_bytes(content)
            if is_read(folders[2]):  # a space, say, in the manifest
                assert is_same(read(folders[2]), nets[0])
            else:
                assert_refused(folders[2])
            content[place] ^= bit
        file.write_bytes(content)


def rewrite(folder, change):
    """Change the record of a folder as someone would who knows the format, checksums included."""
    manifest = json.loads((folder / _folders.MANIFEST).read_text("utf-8"))
    if manifest["format"] == 1:
        change(manifest)
        (folder / _folders.MANIFEST).write_text(json.dumps(manifest), "utf-8")
        return
    file = folder / manifest["parts"]["net"] / _record.RECORD
    record = json.loads(file.read_text("utf-8"))
    change(record)
    file.write_text(json.dumps(record), "utf-8")
    manifest["sha256"][file.relative_to(folder).as_posix()] = _folders.digest(file)
    (folder / _folders.MANIFEST).write_text(json.dumps(manifest), "utf-8")


WRONG = (None, True, 0, -1, 1.5, float("nan"), 10**30, "", "x", [], [[]], {}, {"a": 1}, [None])


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "entry", ["model", "tokenizer", "parameters", "classes", "dtype", "fitted"]
)
def test_records_of_wrong_types(folders, version, entry):
    for value in WRONG:
        allowed = entry == "parameters" and value == {}
        allowed |= entry in ("model", "tokenizer") and (value is None or isinstance(value, str))
        if not allowed:
            rewrite(folders[version], lambda record, value=value: record.update({entry: value}))
            assert_refused(folders[version])
    rewrite(folders[version], lambda record: record.pop(entry))
    assert_refused(folders[version])


ALLOWED = {
    "seed_": lambda value: type(value) is int and value == 0,
    "row_shape_": lambda value: False,
    "new_modules_": lambda value: value == [],
    "n_features_in_": lambda value: type(value) is int and value >= 0,  # it changes no decision
    "fingerprint_": lambda value: False,
}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "name",
    ["kind_", "seed_", "row_shape_", "fingerprint_", "attached_", "new_modules_", "n_features_in_"],
)
def test_fitted_attributes_of_wrong_types(folders, version, name):
    allowed = ALLOWED.get(name, lambda value: False)
    for value in filter(lambda value: not allowed(value), WRONG):
        rewrite(folders[version], lambda r, value=value: r["fitted"].update({name: value}))
        assert_refused(folders[version])


def validated(record, **changes):
    """The record of a net with rows held out, changed."""
    found = {"n_rows": 2, "accuracy": 0.5, "log_loss": 0.7, "inverse_temperature": 0.9}
    found |= {"weights": [0.5, 1.5], "scores": [0.1, 0.6], **changes}
    record["fitted"]["validation_"] = found
    return record


HOSTILE = {
    "an attribute of ours": lambda r: r["fitted"].update(forward_iter="x"),
    "a method as a parameter": lambda r: r["parameters"].update(predict="x"),
    "a fitted attribute as a parameter": lambda r: r["parameters"].update(module_="x"),
    "a parameter that does not exist": lambda r: r["parameters"].update(foo__bar=1),
    "a parameter of a wrong type": lambda r: r["parameters"].update(rank="x"),
    "a rank that needs all memory": lambda r: r["fitted"]["attached_"].update(rank=10**9),
    "rows that need all memory": lambda r: r["fitted"].update(row_shape_=[10**6, 10**6]),
    "labels that need all memory": lambda r: r.update(dtype="<U1000000000"),
    "labels that are records": lambda r: r.update(dtype="i4,f8"),
    "no type of labels": lambda r: r.update(dtype="import os"),
    "equal labels": lambda r: r.update(classes=["a", "a"], dtype="<U1"),
    "another number of classes": lambda r: r.update(classes=[0, 1, 2]),
    "labels of several types": lambda r: r.update(classes=[0, "a"]),
    "a seed outside the range": lambda r: r["fitted"].update(seed_=2**80),
    "layers that are not there": lambda r: r["fitted"]["attached_"].update(target_modules=["z"]),
    "text": lambda r: r["fitted"].update(kind_="text", row_shape_=None),
    "validation without rows": lambda r: validated(r, n_rows=0, weights=[], scores=[]),
    "validation of other rows": lambda r: validated(r, scores=[0.1]),
    "a temperature that is not": lambda r: validated(r, inverse_temperature=float("nan")),
    "a negative temperature": lambda r: validated(r, inverse_temperature=-1.0),
    "a score that is not": lambda r: validated(r, scores=[0.1, float("nan")]),
    "weights that are not": lambda r: validated(r, weights=[0.0, 0.0]),
    "a validation without a part": lambda r: validated(r)["fitted"]["validation_"].pop("accuracy"),
    "a base model outside": lambda r: r.update(model={"folder": "../../etc"}),
    "a tokenizer outside": lambda r: r.update(tokenizer={"folder": "/etc"}),
    "a part that is not there": lambda r: r.update(tokenizer={"folder": "tokenizer", "a": 1}),
    "a format of the future": None,
}


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize("attack", HOSTILE)
def test_hostile_records(folders, version, attack):
    folder = folders[version]
    if HOSTILE[attack] is None:
        file = folder / _folders.MANIFEST
        file.write_text(json.dumps({**json.loads(file.read_text()), "format": 99}))
        with pytest.raises(ValueError, match="in format 99 and this version reads 1 to 2; install"):
            read(folder)
    else:
        rewrite(folder, HOSTILE[attack])
    assert_refused(folder)


@pytest.mark.parametrize(
    "change",
    [
        {"parts": {"net": ".."}},
        {"parts": {"net": "/etc"}},
        {"parts": {"net": f"net-{'0' * 16}/../.."}},
        {"parts": {"net": f"base-{'0' * 16}"}},
        {"parts": {"net": None}},
        {"parts": {}},
        {"parts": None},
        {"sha256": {}},
        {"sha256": None},
        {"sha256": {"../../etc/passwd": "0" * 64}},
        {"format": "2"},
        {"format": True},
        {"format": None},
        {"format": 0},
    ],
    ids=str,
)
def test_hostile_manifests(folders, change):
    file = folders[2] / _folders.MANIFEST
    file.write_text(json.dumps({**json.loads(file.read_text()), **change}))
    assert_refused(folders[2])


def test_folders_in_the_place_of_files(folders):
    for version, folder in folders.items():
        for file in files_of(folder):
            content = file.read_bytes()
            file.unlink()
            file.mkdir()
            assert_refused(folder)
            file.rmdir()
            file.write_bytes(content)
        assert version in folders


@pytest.mark.parametrize("version", [1, 2])
def test_no_pickle_is_read(folders, version, tmp_path):
    trace, folder = tmp_path / "trace", folders[version]
    for file in files_of(folder):
        content = file.read_bytes()
        file.write_bytes(pickle.dumps(Attack(trace)))
        assert_refused(folder)
        torch.save(Attack(trace), file)
        assert zipfile.is_zipfile(file)
        assert_refused(folder)
        file.write_bytes(content)
    if version == 1:  # with a checksum that fits
        state = folder / _record.STATE
        state.write_bytes(pickle.dumps(Attack(trace)))
        rewrite(folder, lambda record: record.update(sha256=_folders.digest(state)))
        assert_refused(folder)
    assert not trace.exists()


def test_skorch_is_not_told_to_read_pickles(folders):
    unsafe = {"torch_load_kwargs": {"weights_only": False}}
    rewrite(folders[2], lambda record: record["parameters"].update(unsafe))
    assert not read(folders[2]).torch_load_kwargs


@pytest.mark.parametrize("pattern", ["(", "(.*)*x"], ids=["invalid", "exponential"])
def test_no_pattern_is_searched(source, tmp_path, pattern):
    """The state names the layers: on long names such a pattern would not end."""
    options = {**OPTIONS, "target_modules": r".*layer\.1\..*(query|output\.dense)"}
    net = AlphaLoRANetClassifier(source, random_state=0, **options).fit(X, Y)
    net.save(tmp_path)
    assert is_same(AlphaLoRANetClassifier.load(tmp_path), net, X)
    rewrite(tmp_path, lambda r: r["fitted"]["attached_"].update(target_modules=pattern))
    assert is_same(AlphaLoRANetClassifier.load(tmp_path), net, X)


def test_a_file_that_the_manifest_does_not_name(text_nets, tmp_path):
    """PEFT's configuration beside a base model would make it another model."""
    text_nets[0].save(tmp_path)
    (base,) = tmp_path.glob("base-*")
    (base / ".DS_Store").write_bytes(b"of a file manager")
    AlphaLoRANetClassifier.load(tmp_path)
    (base / "adapter_config.json").write_text("{}")
    assert_refused(tmp_path, model=None)


@pytest.mark.parametrize("name", ["/no/such/folder", "", "a\0b", "/etc"])
def test_a_base_model_that_cannot_be_found(source, tmp_path, name):
    source.save(tmp_path)
    rewrite(tmp_path, lambda record: record.update(model=name))
    assert_refused(tmp_path, model=None)


@pytest.mark.parametrize("change", ["missing", "more", "shape", "dtype"])
def test_a_state_of_another_net(folders, change):
    folder = folders[1]
    state = load((folder / _record.STATE).read_bytes())
    name = next(name for name in state if "lora_B" in name)
    if change == "missing":
        del state[name]
    elif change == "more":
        state["network.x"] = torch.zeros(1)
    elif change == "shape":
        state[name] = torch.zeros(1, 1)
    else:
        state = {name: value.to(torch.int8) for name, value in state.items() if "B" not in name}
    (folder / _record.STATE).write_bytes(save(state))
    checksum = _folders.digest(folder / _record.STATE)
    rewrite(folder, lambda record: record.update(sha256=checksum))
    assert_refused(folder)


def test_rewriting_changes_nothing_else(folders, nets):
    """The attacks above fail for what they change, not for how they do it."""
    for folder in folders.values():
        rewrite(folder, lambda record: None)
        assert_allclose(read(folder).predict_proba(NUMBERS), nets[0].predict_proba(NUMBERS))
        assert_array_equal(read(folder).predict(NUMBERS), nets[0].predict(NUMBERS))


def test_a_record_with_validation_is_read(folders):
    for folder in folders.values():
        rewrite(folder, validated)
        assert read(folder).inverse_temperature_ == 0.9
        assert read(folder).predict_set(NUMBERS, 0.5)[1].shape == (30, 2, 1)
