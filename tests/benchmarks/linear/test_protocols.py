"""The published protocol is exact, the honest one uses no label of a scored row."""

import json

import numpy as np
import pandas as pd
import pytest

from benchmarks.__main__ import main
from benchmarks._data import files
from benchmarks._data.transfers import Transfer, split
from benchmarks.linear import _comparison, amazon_table
from benchmarks.linear._comparison import against_source, fit_methods
from benchmarks.linear._peers import SOURCES, transport
from benchmarks.readme import RESULTS


@pytest.fixture
def amazon(amazon_data_home, monkeypatch):
    monkeypatch.setattr(files, "SHARED", amazon_data_home)


@pytest.mark.usefixtures("amazon")
def test_published_protocol_equals_the_papers_table(tmp_path):
    seeds = amazon_table.published_seeds([20, 40], out=tmp_path)
    ours, printed = amazon_table.published_table(seeds), amazon_table.paper_table()
    assert ours.shape == (24, 8)
    pd.testing.assert_frame_equal(ours, printed[ours.columns].loc[ours.index], rtol=0, atol=1e-9)


def test_tables_mark_what_equals_the_paper():
    paper, table = amazon_table.paper_table(), amazon_table.paper_table()
    table.iloc[0, table.columns.get_loc("fine_tuning")] += 1
    assert amazon_table.agreement(table, paper).startswith("191 of 192 numbers equal")
    first = amazon_table.published_tables(table, paper)["n = 20"].iloc[0]
    assert first["accuracy, α = 1"] == "77.43±0.06 (paper: 76.43±0.06)"
    assert first["β"].endswith(" =")
    elsewhere = amazon_table.paper_table(gamma_pre=2.0)
    assert amazon_table.agreement(table, elsewhere) == ""
    first = amazon_table.published_tables(table, elsewhere)["n = 20"].iloc[0]
    assert first["accuracy, α = 1"] == "77.43±0.06"


@pytest.fixture
def transfer():
    rng = np.random.default_rng(0)
    y_source, y = np.repeat([-1.0, 1.0], 60), np.repeat([-1.0, 1.0], 80)
    mean = rng.normal(size=8) / 3
    X_source = rng.normal(size=(120, 8)) + np.outer(y_source, mean)
    X = rng.normal(size=(160, 8)) @ np.diag(np.linspace(0.5, 2, 8)) + np.outer(y, mean)
    return Transfer(X_source, y_source, X, y)


def test_no_label_of_a_scored_row_is_used(transfer, monkeypatch):
    """Whatever the held-out labels are, every coefficient stays the same to the last bit."""
    _, test = split(transfer, 24, seed=3)
    flipped, shuffled = transfer.y.copy(), transfer.y.copy()
    flipped[test] *= -1
    shuffled[test] = np.random.default_rng(1).permutation(shuffled[test])

    def coefficients(y):
        fitted = {}

        def record(*args):
            fitted.update(fit_methods(*args))
            return fitted

        monkeypatch.setattr(_comparison, "fit_methods", record)

        def load(source, target):
            return transfer._replace(y=y)

        _comparison.score_methods(load, tuple(SOURCES), "a", "b", 24, 3)
        return {key: classifier.coef_ for key, classifier in fitted.items()}

    expected = coefficients(transfer.y)
    assert {model for model, _ in expected} >= set(SOURCES)
    for y in (flipped, shuffled):
        found = coefficients(y)
        assert found.keys() == expected.keys()
        for key, coef in expected.items():
            np.testing.assert_array_equal(found[key], coef, err_msg=str(key))


def test_split_scores_all_other_rows_but_copies(transfer):
    train, test = split(transfer, 20, seed=0)
    assert len(train) == 20
    assert sorted([*train, *test]) == list(range(160))
    copies = np.arange(160) // 4  # every text four times
    train_too, apart = split(transfer._replace(groups=copies), 20, seed=0)
    np.testing.assert_array_equal(train, train_too)
    assert not set(copies[train]) & set(copies[apart])
    assert set(apart) == {i for i in test if copies[i] not in set(copies[train])}


def test_transport_gives_the_targets_mean_and_covariance(transfer):
    moved = transport(transfer.X_source, transfer.X)
    np.testing.assert_allclose(moved.mean(axis=0), transfer.X.mean(axis=0), atol=1e-10)
    covariances = (np.cov(X.T, bias=True) for X in (moved, transfer.X))
    np.testing.assert_allclose(*covariances, rtol=1e-4, atol=1e-4)


def test_differences_are_paired_with_the_own_source():
    rows = [
        ("a", "b", 20, seed, model, method, accuracy)
        for seed, base in enumerate((0.5, 0.9, 0.6))
        for model, method, accuracy in (
            ("", "target alone", base),
            ("ridge", "source alone", base),
            ("ridge", "chosen: blend", base + 0.02),
            ("logistic", "source alone", base - 0.1),
            ("logistic", "chosen: blend", base),
        )
    ]
    names = ["source", "target", "n", "seed", "model", "method", "accuracy"]
    result = against_source(pd.DataFrame(rows, columns=names), "seed")
    result = result.set_index(["model", "method"])
    assert result.loc[("", "target alone"), ["difference", "low", "high"]].isna().all()
    for model, difference in (("ridge", 2), ("logistic", 10)):
        found = result.loc[(model, "chosen: blend"), ["difference", "low", "high"]]
        np.testing.assert_allclose(found.astype(float), difference)


@pytest.mark.usefixtures("clean_cache")
def test_digits(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("benchmarks.linear.digits.N_TRANSFERS", 2)
    main(["digits", "--n", "10", "--draws", "2", "--out", str(tmp_path)])
    assert "chosen: blend" in capsys.readouterr().out
    folder = tmp_path / "digits"
    assert {path.name for path in folder.iterdir()} == {
        "results.csv",
        "summary.csv",
        "draws.csv.gz",
        "meta.json",
        "table.md",
    }
    meta = json.loads((folder / "meta.json").read_text())
    assert meta["command"].startswith("python -m benchmarks digits --n 10 --draws 2")
    assert meta["config"] == {"n": [10], "draws": 2}


def test_committed_means_follow_from_the_committed_draws():
    draws, means = (
        pd.read_csv(RESULTS / "digits" / name, keep_default_na=False).replace("", np.nan)
        for name in ("draws.csv.gz", "summary.csv")
    )
    draws["model"], means["model"] = draws.model.fillna(""), means.model.fillna("")
    key, numbers = ["model", "method", "n"], ["mean", "difference", "low", "high"]
    found = against_source(draws, ["source", "target"]).set_index(key)[numbers]
    expected = means.set_index(key)[numbers].astype(float).loc[found.index]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
