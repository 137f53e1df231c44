"""Import and export of tables with a metric of their own, with FLOPs and without."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

import prunestats as ps
from prunestats.db import (
    export_results,
    import_results,
    load_results,
    merge_database,
    open_database,
    read,
    store_regime,
    store_study,
    write,
)
from prunestats.errors import DatabaseError, InputError, ResultsError
from prunestats.metric import ERROR, Metric, metric_of

SAID = {"columns": {"subnetwork": "model", "perplexity": "ppl"}, "metric": "perplexity", "original": "llama"}
VIEWS = ("results", "populations", "edf", "leaderboard", "pareto")


def models(n=30, **columns):
    """Language models: two spaces, two seeds, parameters and perplexities."""
    rng = np.random.default_rng(0)
    params = rng.integers(3 * 10**9, 7 * 10**9, n)
    one = pd.DataFrame(
        {"model": [f"m{k}" for k in range(n)], "params": params, "space": np.where(np.arange(n) % 2, "depth", "width")}
    )
    both = pd.concat([one.assign(seed=seed, ppl=6 + 3e9 / params + rng.random(n)) for seed in (0, 1)])
    return both.reset_index(drop=True).assign(**columns)


def rows_of(source, text):
    engine = open_database(source)
    with read(engine) as connection:
        found = [tuple(row) for row in connection.exec_driver_sql(text)]
    engine.dispose()
    return found


def test_a_table_of_language_models_needs_no_flops(url):
    done = import_results(url, models(), split="validation", direction="minimize", unit="", **SAID)
    assert (done.new_runs, done.refused, done.populations[0][3]) == (60, (), None)
    assert set(done.ranges) == {"params", "val_perplexity"}
    frame = load_results(url)
    assert metric_of(frame) == Metric("perplexity", "minimize", "", 1.0)
    assert sorted(frame["perplexity"]) == sorted(models()["ppl"])
    assert frame[["flops", "original_flops", "flops_fraction", "ratio", "regime"]].isna().all(axis=None)
    assert not {"error", "loss", "log_cross_entropy"} & set(frame.columns)
    ps.check_results(frame)
    assert all(rows_of(url, f"SELECT count(*) FROM {view}")[0][0] > 0 for view in VIEWS)
    assert rows_of(url, "SELECT DISTINCT metric, direction, flops, ratio, regime FROM results") == [
        ("perplexity", "minimize", None, None, None)
    ]
    (best,) = rows_of(url, "SELECT subnetwork, val_metric FROM pareto")
    assert best[1] == pytest.approx(frame.groupby("subnetwork")["perplexity"].mean().min())


def test_importing_twice_changes_nothing_and_there_is_one_regime(url):
    import_results(url, models().iloc[:40], study="s", **SAID)
    again = import_results(url, models(), study="s", **SAID)
    assert (again.new_runs, import_results(url, models(), study="s", **SAID).new_runs) == (20, 0)
    assert rows_of(url, "SELECT flops_fraction, tolerance FROM regime") == [(None, 1.0)]
    engine = open_database(url)
    with write(engine) as connection:
        study = store_study(connection, name="t", text="", fingerprint="f", seed=0)
        ids = [store_regime(connection, study_id=study, flops_fraction=None, tolerance=1.0) for _ in range(2)]
    engine.dispose()
    assert ids[0] == ids[1]


def test_without_a_split_the_metric_is_that_of_the_test_split(url):
    done = import_results(url, models(), **SAID)
    assert done.meaning.selects_by_test
    ((parameters,),) = rows_of(url, "SELECT CAST(parameters AS TEXT) FROM protocol")
    assert json.loads(parameters) == {
        "source": "results from outside",
        "metric": "perplexity",
        "direction": "minimize",
        "unit": "",
        "choices look at": "the test split, as there is no other perplexity",
    }
    frame = load_results(url)
    assert (frame["val_metric"] == frame["test_metric"]).all()


def test_both_splits_have_columns_of_their_own(url):
    table = models(test=models()["ppl"] + 1).drop(columns="space")
    columns = {"subnetwork": "model", "val_perplexity": "ppl", "test_perplexity": "test"}
    import_results(url, table, **{**SAID, "columns": columns})
    validation, test = (load_results(url, split=split)["perplexity"] for split in ("validation", "test"))
    assert (test - validation).tolist() == pytest.approx([1.0] * 60)
    found = json.loads(rows_of(url, "SELECT CAST(metrics AS TEXT) FROM run LIMIT 1")[0][0])
    assert set(found) == {"validation", "test"}


def test_a_metric_that_is_maximised_ranks_the_other_way(url):
    table = models(flops=10**9, params=10**6, miou=np.linspace(30, 70, 60))
    said = {"metric": "miou", "error_unit": "percent", "split": "validation", "flops_convention": "multiply-adds"}
    import_results(url, table, columns={"subnetwork": "model"}, original="net", **said)
    frame = load_results(url)
    assert metric_of(frame) == Metric("miou", "maximize", "fraction", 0.0, 1.0)
    assert frame["miou"].max() == pytest.approx(0.7)
    assert set(frame["regime"]) == {1.0}
    assert frame["ratio"].notna().all()
    ranked = rows_of(url, "SELECT val_metric FROM leaderboard ORDER BY place")
    assert ranked == sorted(ranked, reverse=True)


def test_two_metrics_of_the_same_subnetworks_have_two_protocols(url):
    import_results(url, models(), study="perplexity", **SAID)
    second = {**SAID, "columns": {"subnetwork": "model", "accuracy": "ppl"}, "metric": "accuracy"}
    with pytest.raises(InputError, match=r"accuracy between 0 and 1; found .*: pass --error-unit percent\?"):
        import_results(url, models(), study="accuracy", **second)
    done = import_results(url, models(ppl=0.5), study="accuracy", **second)
    assert (done.new_runs, done.new_subnetworks) == (60, 0)
    with pytest.raises(InputError, match=r"one metric at a time is analysed; found runs with perplexity, accuracy"):
        metric_of(load_results(url))
    with pytest.raises(InputError, match=r"metric of the study 'perplexity' as it is stored, perplexity \(lower"):
        import_results(url, models(ppl=0.5), study="perplexity", **second)


def test_an_import_of_errors_is_what_it_was(tmp_path):
    table = pd.DataFrame({"model": ["a", "b"], "flops": 90, "params": 9, "val_error": [0.1, 0.2]})
    said = {"columns": {"subnetwork": "model"}, "original": "net", "flops_convention": "multiply-adds"}
    for name, options in (("named", {"metric": "error", "direction": "minimize"}), ("unnamed", {})):
        import_results(tmp_path / f"{name}.db", table, study="s", **said, **options)
        export_results(tmp_path / f"{name}.db", tmp_path / f"{name}.json")
    named, unnamed = (json.loads((tmp_path / f"{name}.json").read_text()) for name in ("named", "unnamed"))
    assert [row | {"created_at": ""} for row in named] == [row | {"created_at": ""} for row in unnamed]
    assert "metric" not in named[0]
    fingerprint = "SELECT fingerprint, metric FROM study"
    assert rows_of(tmp_path / "named.db", fingerprint) == rows_of(tmp_path / "unnamed.db", fingerprint)
    # keys of imports before metrics of their own
    assert named[0]["protocol_key"] == "4c9b3f7079a2d3d9"


@pytest.mark.parametrize("suffix", ["csv", "json", "parquet"])
def test_an_export_comes_back_unchanged(url, fill, engine, tmp_path, suffix):
    fill(engine, n=4)
    import_results(url, models(8), split="validation", **SAID)
    dense = models(8, model=[f"d{k}" for k in range(8)] * 2, flops=2 * 10**9, params=10**7, dB=np.arange(16.0) - 3)
    said = {"metric": "psnr", "flops_convention": "multiply-adds", "columns": {"subnetwork": "model", "psnr": "dB"}}
    import_results(url, dense, study="sr", original="edsr", unit="dB", metric_range=(-10, None), **said)
    first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
    n = export_results(url, first)
    done = import_results(tmp_path / "copy.db", first)
    assert (done.new_runs > 0, done.refused, import_results(tmp_path / "copy.db", first).new_runs) == (True, (), 0)
    assert export_results(tmp_path / "copy.db", second) == n
    assert first.read_bytes() == second.read_bytes()
    assert import_results(url, first).new_runs == 0
    metrics = "SELECT name, metric FROM study ORDER BY name"
    assert [name for name, _ in rows_of(tmp_path / "copy.db", metrics)] == ["digits", "sr", "table"]
    assert metric_of(load_results(tmp_path / "copy.db", study="sr")) == Metric("psnr", "maximize", "dB", -10.0)
    assert metric_of(load_results(tmp_path / "copy.db", study="digits")) == ERROR


def test_merging_keeps_metrics_and_the_regime_without_flops(tmp_path):
    import_results(tmp_path / "a.db", models(), study="s", **SAID)
    for _ in range(2):
        merge_database(tmp_path / "b.db", tmp_path / "a.db")
    one, two = (load_results(tmp_path / f"{name}.db") for name in "ab")
    pd.testing.assert_frame_equal(one, two)
    assert len(rows_of(tmp_path / "b.db", "SELECT * FROM regime")) == 1


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"metric": "ppl"}, "expected the direction of ppl, minimize or maximize; found none: pass minimize"),
        ({"direction": "down"}, "minimize or maximize; found 'down'"),
        ({"metric": "error", "direction": "maximize"}, "name the metric accuracy"),
        ({"metric": "error", "unit": "dB"}, "found the unit 'dB'"),
        ({"metric": "params", "direction": "minimize"}, "'params', which is a column of results"),
        ({"metric": "val_x", "direction": "minimize"}, "'val_x', which names a split"),
        ({"metric": "error", "columns": {"perplexity": "ppl"}}, "found 'perplexity': pass --metric perplexity"),
        ({"columns": {"error": "ppl"}}, "map perplexity, val_perplexity, test_perplexity"),
        ({"columns": {"subnetwork": "model"}}, "expected a column for perplexity; found none: map it: perplexity=NAME"),
        ({"metric_range": (7, 3)}, "a range of perplexity from low to high; found 7 to 3"),
        ({"error_unit": "percent"}, "for a metric that is a fraction; found perplexity"),
        ({"regimes": [0.5], "tolerance": 0.1}, "expected a column for flops beside --regime"),
        ({"original_flops": 1e9}, "expected a column for flops beside --original-flops"),
        ({"params_unit": "dozens"}, "params_unit must be one of"),
    ],
)
def test_what_cannot_be_understood_is_one_line(tmp_path, options, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        import_results(tmp_path / "r.db", models(), **{**SAID, **options})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("value", "complaint"),
    [
        (float("nan"), "row 2: perplexity for every completed run; found none"),
        ("nan", "row 2: perplexity for every completed run; found none"),
        (float("inf"), "row 2: a finite number for perplexity; found inf"),
        (0.3, "row 2: perplexity of 1 or more; found 0.3"),
        ("low", "row 2: a number for perplexity; found 'low'"),
    ],
)
def test_values_that_cannot_be_stored_are_refused_with_their_row(tmp_path, value, complaint):
    table = models().astype(object)
    table.loc[1, "ppl"] = value
    with pytest.raises(InputError, match=complaint) as caught:
        import_results(tmp_path / "r.db", table, **SAID)
    assert "\n" not in str(caught.value)
    assert import_results(tmp_path / "r.db", table, skip_bad=True, **SAID).new_runs == 59


def test_an_original_with_flops_is_not_one_without(url):
    import_results(url, models(), **SAID)
    with pytest.raises(DatabaseError, match="original 'llama' as it is stored, with flops None; found") as caught:
        import_results(url, models(flops=10**12), flops_convention="multiply-adds", study="t", **SAID)
    assert "\n" not in str(caught.value)


def test_analyses_without_flops_work_or_say_what_they_need(url):
    import_results(url, models(60), **SAID)
    frame, rng = load_results(url), np.random.default_rng(0)
    (pair, *_) = ps.compare(frame, response="perplexity", rng=rng).pairs
    assert any("no FLOPs" in note for note in pair.notes)
    assert (np.isnan(pair.binned_p), pair.n_binned, pair.regime) == (True, 0, None)
    assert np.isfinite(pair.mean_difference.value)
    depth = frame[frame["space"] == "depth"]
    assert ps.variance_components(depth, "perplexity").n_subnetworks == 30
    assert ps.winner_error(depth, response="perplexity", rng=rng).seen < depth["perplexity"].mean()
    assert sum(map(len, ps.split_population(frame, rng=rng))) == len(frame)
    for refused in (
        lambda: ps.find_optimum(frame, response="perplexity", rng=rng),
        lambda: ps.compare_buckets(frame, sizes=[1], response="perplexity"),
        lambda: ps.transfer_optimum(frame, response="perplexity"),
    ):
        with pytest.raises(ResultsError, match="needs FLOPs; found results without: import them with") as caught:
            refused()
        assert "\n" not in str(caught.value)
