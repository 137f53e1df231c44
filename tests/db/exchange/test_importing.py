"""Import: a table is stored as a whole, or refused as a whole with the rows and the reasons."""

from __future__ import annotations

import json
import re
from inspect import signature
from typing import Annotated, get_args, get_origin

import numpy as np
import pandas as pd
import pytest
from sqlalchemy import func, select

import prunestats as ps
from prunestats.cli.import_export import import_
from prunestats.db import import_results, load_results, open_database, read
from prunestats.db.schema import tables as schema
from prunestats.errors import DatabaseError, InputError
from prunestats.results.units import FLOPS_PER_MULTIPLY_ADD, FlopsConvention

SAID = {"original": "net", "flops_convention": "multiply-adds"}
BENCHMARK = {
    "0120": {"val_acc": [91.5, 91.0, 92.0], "mean_acc": 91.5, "params": 890_666, "flops": 47_327_744},
    "0211": {"val_acc": [93.0, 92.5, 92.75], "mean_acc": 92.75, "params": 1_018_378, "flops": 61_390_208},
}
OF_BENCHMARK = {**SAID, "columns": {"accuracy": "val_acc"}, "split": "validation", "error_unit": "percent"}


def counts(url):
    engine = open_database(url)
    with read(engine) as connection:
        found = {
            name: connection.scalar(select(func.count()).select_from(table))
            for name, table in schema.metadata.tables.items()
        }
    engine.dispose()
    return found


def simple(n=30, **columns):
    rng = np.random.default_rng(0)
    flops = rng.integers(10_000, 20_000, n)
    return pd.DataFrame(
        {"arch": [f"a{k}" for k in range(n)], "flops": flops, "params": flops // 10, "val_error": rng.random(n)}
        | columns
    )


def test_a_benchmark_of_dictionaries_is_imported(url, tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(BENCHMARK))
    done = import_results(url, tmp_path / "bench.json", **OF_BENCHMARK)
    assert (done.rows, done.runs, done.subnetworks, done.new_runs, done.refused) == (2, 6, 2, 6, ())
    assert done.seeds == (0, 2, 3)
    frame = load_results(url, study="bench")
    assert frame["subnetwork"].tolist() == ["0120"] * 3 + ["0211"] * 3
    assert frame["seed"].tolist() == [0, 1, 2] * 2
    assert frame["error"].tolist() == [0.085, 0.09, 0.08, 0.07, 0.075, 0.0725]
    assert frame["flops"].tolist() == [47_327_744] * 3 + [61_390_208] * 3
    assert set(frame["original_flops"]) == {61_390_208}
    assert set(frame["regime"]) == {1.0}
    assert frame["test_error"].isna().all()


def test_every_form_of_one_table_says_the_same(tmp_path):
    """Records, dictionaries, a column a seed, a list, and a row a seed."""
    records = [
        {
            "arch": key,
            "flops": row["flops"],
            "params": row["params"],
            **{f"acc_{k}": row["val_acc"][k] for k in range(3)},
        }
        for key, row in BENCHMARK.items()
    ]
    wide = pd.DataFrame(records)
    long = pd.DataFrame(
        [
            {"arch": key, "run": seed, "flops": row["flops"] / 1e6, "params": row["params"] / 1e6, "err": 1 - acc / 100}
            for key, row in BENCHMARK.items()
            for seed, acc in enumerate(row["val_acc"])
        ]
    )
    wide.to_csv(tmp_path / "wide.csv", index=False)
    wide.to_parquet(tmp_path / "wide.parquet")
    long.to_csv(tmp_path / "long.csv", index=False)
    (tmp_path / "list.json").write_text(json.dumps([{"arch": key, **row} for key, row in BENCHMARK.items()]))
    (tmp_path / "dict.json").write_text(json.dumps(BENCHMARK))
    columns = {"subnetwork": "arch", "accuracy": "acc_0,acc_1,acc_2"}
    seeds = {**OF_BENCHMARK, "columns": columns}
    rows = {"columns": {"subnetwork": "arch", "error": "err", "seed": "run"}, "error_unit": "fraction"}
    rows |= {"flops_unit": "millions", "params_unit": "millions"}
    one = {**OF_BENCHMARK, "columns": {"subnetwork": "arch", "accuracy": "val_acc"}}
    said = {"wide.csv": seeds, "wide.parquet": seeds, "long.csv": OF_BENCHMARK | rows, "list.json": one}
    frames = {}
    for name, options in {**said, "dict.json": OF_BENCHMARK}.items():
        import_results(tmp_path / f"{name}.db", tmp_path / name, study="s", **options)
        frames[name] = load_results(tmp_path / f"{name}.db")[["subnetwork", "seed", "flops", "params", "error"]]
    for frame in frames.values():
        pd.testing.assert_frame_equal(frame, frames["dict.json"], check_exact=False, rtol=1e-12)


def test_importing_twice_changes_nothing(url, tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(BENCHMARK))
    import_results(url, tmp_path / "bench.json", **OF_BENCHMARK)
    before = counts(url)
    again = import_results(url, tmp_path / "bench.json", **OF_BENCHMARK)
    assert (again.new_runs, again.new_subnetworks, again.refused) == (0, 0, ())
    assert counts(url) == before


def test_an_imported_study_grows(url):
    first = import_results(url, simple().iloc[:20], columns={"subnetwork": "arch"}, study="s", **SAID)
    frame = load_results(url)
    more = import_results(url, simple(), columns={"subnetwork": "arch"}, study="s", **SAID)
    assert (first.new_runs, more.new_runs) == (20, 10)
    after = load_results(url)
    pd.testing.assert_frame_equal(after.iloc[:20], frame)
    assert after["draw"].tolist() == list(range(30))


def test_a_dry_run_stores_nothing_and_says_what_it_would(url, empty_url):
    before = counts(url)
    dry = import_results(url, simple(), columns={"subnetwork": "arch"}, dry_run=True, **SAID)
    assert (dry.new_runs, dry.new_subnetworks, dry.stored) == (30, 30, False)
    assert dry.meaning.columns["val_error"] == ("val_error",)
    assert counts(url) == before
    assert import_results(empty_url, simple(), columns={"subnetwork": "arch"}, dry_run=True, **SAID).new_runs == 30


def test_a_dry_run_makes_no_file(tmp_path):
    import_results(tmp_path / "none.db", simple(), columns={"subnetwork": "arch"}, dry_run=True, **SAID)
    assert not list(tmp_path.iterdir())


def test_rows_that_cannot_be_stored_are_named_and_nothing_is_stored(url):
    table = simple(8).astype(object)
    table.loc[1, "val_error"] = None
    table.loc[2, "val_error"] = 93.1
    table.loc[3, "flops"] = float("nan")
    table.loc[4, "params"] = "many"
    table.loc[5, "flops"] = 0
    table.loc[7, "arch"] = table.loc[6, "arch"]
    options = {"columns": {"subnetwork": "arch"}, "study": "s", **SAID}
    before = counts(url)
    with pytest.raises(
        InputError, match=r"8 rows .* found 6 that cannot .*first: row 2: an error for every completed run"
    ):
        import_results(url, table, **options)
    dry = import_results(url, table, dry_run=True, **options)
    assert counts(url) == before
    reasons = {refusal.row: str(refusal) for refusal in dry.refused}
    assert reasons[3] == "row 3: val_error between 0 and 1; found 93.1: pass --error-unit percent?"
    assert "flops in every row; found none" in reasons[4]
    assert "a number for params; found 'many'" in reasons[5]
    assert "flops of 1 or more; found 0" in reasons[6]
    assert "one cost of every subnetwork" in reasons[8]
    done = import_results(url, table, skip_bad=True, **options)
    assert (done.new_runs, len(done.refused)) == (2, 6)
    assert any("every error is above 0.5" in doubt for doubt in done.doubts)
    assert load_results(url)["subnetwork"].tolist() == ["a0", "a6"]


def test_a_table_of_bad_rows_alone_is_refused_even_if_they_may_be_skipped(url):
    with pytest.raises(InputError, match="found 30 that cannot"):
        import_results(url, simple(val_error=93.1), columns={"subnetwork": "arch"}, skip_bad=True, **SAID)


def test_a_stored_result_is_not_replaced(url):
    options = {"columns": {"subnetwork": "arch"}, "study": "s", **SAID}
    import_results(url, simple(), **options)
    other = simple()
    other.loc[3, "val_error"] = 0.123
    with pytest.raises(InputError, match=r"row 4: the result that is stored; found val_error 0\.123, not"):
        import_results(url, other, **options)
    assert import_results(url, other, skip_bad=True, dry_run=True, **options).new_runs == 0
    assert load_results(url)["error"].tolist() == simple()["val_error"].tolist()


def test_a_seed_that_contradicts_or_repeats_is_refused(url):
    table = pd.DataFrame({"arch": ["a", "a", "a"], "seed": [0, 1, 1], "flops": 90, "params": 9, "val_error": 0.1})
    with pytest.raises(InputError, match="row 3: each run once; found that of row 2 again"):
        import_results(url, table, columns={"subnetwork": "arch"}, **SAID)


def test_the_convention_is_asked_for_and_halves(url):
    with pytest.raises(InputError, match="multiply-adds or multiplications-and-additions; found none"):
        import_results(url, simple(), columns={"subnetwork": "arch"}, original="net")
    twice = simple(flops=2 * simple()["flops"])
    said = {"original": "net", "flops_convention": "multiplications-and-additions"}
    import_results(url, twice, columns={"subnetwork": "arch"}, **said)
    assert load_results(url)["flops"].tolist() == simple()["flops"].tolist()


def test_every_door_spells_the_flops_conventions_alike():
    spelt = get_args(FlopsConvention)
    assert spelt == tuple(FLOPS_PER_MULTIPLY_ADD) == ("multiply-adds", "multiplications-and-additions")
    for door in (ps.results_frame, import_results, import_):
        annotation = signature(door, eval_str=True).parameters["flops_convention"].annotation
        if get_origin(annotation) is Annotated:
            annotation = get_args(annotation)[0]
        assert annotation in (FlopsConvention, FlopsConvention | None)


@pytest.mark.parametrize("convention", ["separate", "macs", "", "Multiply-Adds"])
def test_another_spelling_is_one_line_at_every_door(tmp_path, convention):
    table = simple()
    names = {"subnetwork": "arch", "flops": "flops", "params": "params", "error": "val_error"}
    doors = (
        lambda: ps.results_frame(table, **names, flops_convention=convention),
        lambda: import_results(tmp_path / "r.db", table, columns={"subnetwork": "arch"}, original="net",
                               flops_convention=convention),
    )  # fmt: skip
    said = set()
    for door in doors:
        with pytest.raises(InputError) as caught:
            door()
        said.add(str(caught.value))
    assert len(said) == 1
    assert "\n" not in said.copy().pop()
    assert f"must be multiply-adds or multiplications-and-additions; found {convention!r}: pass" in said.pop()


@pytest.mark.parametrize(
    ("table", "options", "complaint"),
    [
        (simple(), {"original": None}, "expected the name of the original"),
        (simple(), {"columns": {"subnetwork": "arhc"}}, "do you mean 'arch'"),
        (simple(), {"columns": {"subnetwrk": "arch"}}, "do you mean subnetwork"),
        (simple().drop(columns="flops"), {}, "expected a column for flops"),
        (simple().drop(columns="val_error"), {}, "expected an error or an accuracy"),
        (simple(), {"columns": {}}, "a column that identifies the subnetworks"),
        (
            simple(),
            {"columns": {"subnetwork": "arch", "error": "val_error"}},
            "expected the split on which the error was measured",
        ),
        (
            simple(acc=0.5),
            {"columns": {"subnetwork": "arch", "val_error": "val_error", "val_accuracy": "acc"}},
            "several",
        ),
        (
            simple(seed=0),
            {"columns": {"subnetwork": "arch", "val_error": ["val_error", "val_error"]}},
            "one column per seed",
        ),
        (simple(), {"columns": {"subnetwork": "arch,flops"}}, "expected one column for subnetwork"),
        (simple(params=10**9), {}, "FLOPs should not be far below parameters"),
        (simple(flops=12.5), {}, "in millions"),
        (simple(), {"regimes": [0.5]}, "pass --tolerance"),
        (simple(), {"regimes": [50.0], "tolerance": 0.1}, "fractions of the original's FLOPs"),
        (simple(regime=0.5), {"regimes": [0.5], "tolerance": 0.1}, "leave one out"),
        (simple(), {"tolerance": 0.1}, "found no regimes"),
        (simple(regime=0.5), {}, "the relative tolerance of every regime"),
        (simple(), {"flops_unit": "giga"}, "flops_unit must be one of"),
        (simple(), {"flops_convention": "macs"}, "multiplications-and-additions; found 'macs'"),
        (
            simple(),
            {"original_flops": 4000},
            "expected FLOPs between 0.001 and 1.5 of the original's 4 k; found 2.51 to",
        ),
        (simple(), {"original_flops": 4000, "any_fraction": True}, "FLOPs inside one of the regimes"),
    ],
)
def test_what_cannot_be_understood_is_one_line(tmp_path, table, options, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        import_results(tmp_path / "r.db", table, **{**SAID, "columns": {"subnetwork": "arch"}, **options})
    assert "\n" not in str(caught.value)
    if (tmp_path / "r.db").exists():
        assert counts(tmp_path / "r.db")["study"] == 0


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("t.csv", "a,b\n1,2,3\n", "expected 2 fields in every line of 't.csv'; found 3 in line 2"),
        ("t.csv", "a,a\n1,2\n", "'a' twice"),
        ("t.csv", "a,b\n", "found none"),
        ("t.csv", "", "found none"),
        ("t.csv", 'a,b\n"1,2\n', "unexpected end"),
        ("t.csv", b"a,b\n\xff,2\n", "utf-8"),
        ("t.json", "[1, 2]", "found other JSON"),
        ("t.json", '{"a": {"x": 1}, "a": {"x": 2}}', "found 'a' twice"),
        ("t.json", "{", "Expecting"),
        ("t.json", "[" * 100_000, "recursion"),
        ("t.parquet", "no parquet", "expected parquet"),
        ("t.xlsx", "", "ends in .csv, .json, .parquet"),
    ],
)
def test_files_that_are_no_tables_are_one_line(tmp_path, name, content, complaint):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(InputError, match=complaint) as caught:
        import_results(tmp_path / "r.db", path, **SAID)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "r.db").exists()


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        import_results(tmp_path / "r.db", tmp_path / "none.csv", **SAID)


def test_without_a_validation_error_the_test_error_chooses_and_the_protocol_says_so(engine, url):
    table = simple().rename(columns={"val_error": "test_error"})
    done = import_results(url, table, columns={"subnetwork": "arch"}, **SAID)
    assert done.meaning.selects_by_test
    frame = load_results(url)
    assert frame["val_error"].tolist() == frame["test_error"].tolist() == table["test_error"].tolist()
    with read(engine) as connection:
        parameters = connection.scalar(select(schema.protocol.c.parameters))
    assert "test split" in parameters["choices look at"]


def test_regimes_put_runs_into_bands(url):
    options = {"columns": {"subnetwork": "arch"}, "regimes": [0.5, 0.75], "tolerance": 0.1, "original_flops": 20_000}
    done = import_results(url, simple(200), skip_bad=True, **options, **SAID)
    frame = load_results(url)
    fraction = frame["flops"] / 20_000
    assert ((fraction - frame["regime"]).abs() <= 0.1 * frame["regime"] + 1e-9).all()
    inside = sum((simple(200)["flops"] / 20_000 - r).abs().le(0.1 * r).sum() for r in (0.5, 0.75))
    assert len(frame) == done.new_runs == inside
    assert len(done.refused) == 200 - inside


def test_widths_are_kept_and_tell_subnetworks_apart(engine, url):
    table = simple(6).drop(columns="arch").assign(w0=[1, 2, 3, 4, 5, 6], w1=7)
    import_results(url, table, columns={"widths": ["w0", "w1"]}, study="columns", **SAID)
    arrays = simple(6).drop(columns="arch").assign(widths=[[k, 7] for k in range(1, 7)])
    again = import_results(url, arrays, study="columns", **SAID)
    assert again.new_runs == 0
    with read(engine) as connection:
        widths = connection.scalars(select(schema.subnetwork.c.widths).order_by(schema.subnetwork.c.id)).all()
    assert sorted(widths) == [[k, 7] for k in range(1, 7)]
    assert sorted(load_results(engine)["widths"]) == [(k, 7) for k in range(1, 7)]


def test_widths_of_networks_of_several_depths_come_back(engine, url):
    deep = [[1, 7], [2, 7, 5], [3], [4, 4]]
    import_results(url, simple(4).drop(columns="arch").assign(widths=deep), study="depths", **SAID)
    assert sorted(load_results(engine)["widths"]) == sorted(map(tuple, deep))


def test_a_study_that_was_run_takes_no_import(url, engine, fill):
    fill(engine, study="digits")
    before = counts(url)
    with pytest.raises(InputError, match="give the import another name with --study"):
        import_results(url, simple(), columns={"subnetwork": "arch"}, study="digits", **SAID)
    assert counts(url) == before


def test_an_original_of_another_size_is_refused(url):
    options = {"columns": {"subnetwork": "arch"}, **SAID}
    import_results(url, simple(), original_flops=10**6, **options)
    with pytest.raises(DatabaseError, match="original 'net'"):
        import_results(url, simple(), study="other", original_flops=10**7, **options)


def costs(n=10, flops=40_000_000, params=270_000):
    """A table whose largest subnetwork costs this much, and its smallest half of it."""
    part = np.linspace(0.5, 1.0, n)
    return pd.DataFrame(
        {"arch": [f"a{k}" for k in range(n)], "flops": part * flops, "params": part * params, "val_error": 0.1}
    ).astype({"flops": type(flops), "params": type(params)})


OTHER_UNITS = {
    "FLOPs in millions": (
        costs(flops=40),
        {},
        "expected FLOPs between 0.001 and 1.5 of the original's 40 M; found 5e-07 to 1e-06 of it in 10 of 10 rows, "
        "first in row 1: are they in millions? pass --flops-unit millions; if it is meant, pass --any-fraction",
    ),
    "FLOPs in billions of another convention": (
        costs(flops=0.08),
        {"flops_unit": "thousands"},
        "are they in billions of multiplications-and-additions? pass --flops-unit billions --flops-convention multip",
    ),
    "FLOPs in counts": (
        costs(flops=40_000_000),
        {"flops_unit": "thousands"},
        "are they in counts? pass --flops-unit counts",
    ),
    "FLOPs of multiplications and additions": (
        costs(flops=80_000_000),
        {},
        "found 1.56 to 2 of it in 5 of 10 rows, first in row 6: are they in multiplications-and-additions? pass "
        "--flops-convention multiplications-and-additions",
    ),
    "parameters in thousands": (costs(params=270), {}, "are they in thousands? pass --params-unit thousands"),
    "an original in counts beside a column in millions": (
        costs(flops=40.0),
        {"flops_unit": "millions", "original_flops": 40_000_000, "original": "new", "original_params": 270_000},
        "is it in the unit and convention of the column (millions)? pass --original-flops 40;",
    ),
    "an original in millions beside a column in counts": (
        costs(),
        {"original_flops": 40, "original": "new", "original_params": 270_000},
        "found 5e+05 to 1e+06 of it in 10 of 10 rows, first in row 1: is it in the unit and convention of the column "
        "(counts)? pass --original-flops 40000000;",
    ),
    "an original of the other convention": (
        costs(flops=80_000_000),
        {"original_flops": 40_000_000, "original": "new", "original_params": 270_000},
        "pass --original-flops 80000000;",
    ),
    "a column of originals in another unit": (
        costs().assign(of=40, op=270_000),
        {
            "columns": {"subnetwork": "arch", "original_flops": "of", "original_params": "op"},
            "original": "new",
        },
        "is the column 'of' in another unit than 'flops'? convert one of them",
    ),
    "one row in another unit": (
        costs().assign(flops=[20_000_000] * 9 + [20_000_000 * 10**6]),
        {"original": "new"},
        "found 1e-06 to 1e-06 of it in 9 of 10 rows, first in row 1: row 10 has the most and stands for the original: "
        "repair it, or pass --original-flops",
    ),
}


@pytest.mark.parametrize("what", OTHER_UNITS)
def test_costs_that_are_no_fraction_of_the_original_are_questioned_with_the_unit_that_makes_sense(tmp_path, what):
    table, options, complaint = OTHER_UNITS[what]
    given = {"columns": {"subnetwork": "arch"}, **SAID}
    import_results(tmp_path / "r.db", costs(), study="first", **given)
    before = counts(tmp_path / "r.db")
    for dry_run in (True, False):
        with pytest.raises(InputError, match=re.escape(complaint)) as caught:
            import_results(tmp_path / "r.db", table, study="second", dry_run=dry_run, **{**given, **options})
        assert "\n" not in str(caught.value)
    assert counts(tmp_path / "r.db") == before


def test_the_suggested_unit_is_accepted(tmp_path):
    """What the message proposes imports the table, and the fractions are plausible."""
    given = {"columns": {"subnetwork": "arch"}, **SAID}
    import_results(tmp_path / "r.db", costs(), **given)
    table = costs().assign(flops=costs()["flops"] / 1e6, params=costs()["params"] / 1e3)
    given |= {"flops_unit": "millions", "params_unit": "thousands", "study": "b"}
    import_results(tmp_path / "r.db", table, **given)
    assert sorted(set(load_results(tmp_path / "r.db")["flops"])) == sorted(costs()["flops"])


def test_rows_outside_that_no_unit_explains_are_refused_one_by_one(tmp_path):
    given = {"columns": {"subnetwork": "arch"}, "original_flops": 40_000_000, "original_params": 270_000, **SAID}
    table = costs().astype({"flops": float})
    table.loc[[2, 5], "flops"] = [70_000_000, 30_000]
    with pytest.raises(
        InputError, match=r"2 × FLOPs between 0\.001 and 1\.5 of the original's; first: row 3: .*found 1\.75"
    ):
        import_results(tmp_path / "r.db", table, **given)
    kept = import_results(tmp_path / "r.db", table, skip_bad=True, **given)
    assert [refused.row for refused in kept.refused] == [3, 6]
    assert kept.new_runs == 8
    meant = import_results(tmp_path / "s.db", table, any_fraction=True, **given)
    assert meant.new_runs == 10


def test_costs_that_stand_for_those_of_the_original_are_told(tmp_path):
    given = {"columns": {"subnetwork": "arch"}, **SAID}
    first = import_results(tmp_path / "r.db", costs(), original_params=300_000, **given)
    assert first.assumed == (("net", "flops", 40_000_000),)
    assert import_results(tmp_path / "r.db", costs(), original_params=300_000, **given).assumed == ()


QUARTERS = {"1": 0.25, "2": 0.5, "3": 0.75, "4": 1}
DIGITS = {"widths_digits": "arch", "digit_widths": QUARTERS, "original_widths": [64, 128, 256]}


def digits(*keys):
    """Subnetworks of three groups in a row, by their digits; the cost is that of their widths."""
    widths = [[int(digit) * width // 4 for digit, width in zip(key, (64, 128, 256), strict=True)] for key in keys]
    params = [9 * (3 * a + a * b + b * c) for a, b, c in widths]
    return pd.DataFrame({"arch": list(keys), "flops": [64 * p for p in params], "params": params, "val_error": 0.1})


@pytest.mark.parametrize("n", [1, 4])
def test_widths_are_read_from_digits(url, tmp_path, n):
    keys = [f"{a}{b}{c}" for a in range(1, n + 1) for b in range(1, n + 1) for c in range(1, n + 1)]
    digits(*keys).to_csv(tmp_path / "t.csv", index=False)
    done = import_results(url, tmp_path / "t.csv", **DIGITS, **SAID)
    assert done.new_subnetworks == n**3
    frame = load_results(url)
    assert frame["subnetwork"].tolist() == keys
    expected = [tuple(int(d) * w // 4 for d, w in zip(key, (64, 128, 256), strict=True)) for key in keys]
    assert frame["widths"].tolist() == expected
    assert done.meaning.digits.words == "1 = 1/4, 2 = 1/2, 3 = 3/4, 4 = 1 of 64, 128, 256 filters"


def test_digits_may_stand_for_filters_and_be_numbers(url):
    table = digits("444", "414").assign(arch=[444, 414], name=["x", "y"])
    options = {"widths_digits": "arch", "digit_widths": {1: 16, 4: 64}, "columns": {"subnetwork": "name"}}
    import_results(url, table, **options, **SAID)
    frame = load_results(url)
    assert frame[["subnetwork", "widths"]].values.tolist() == [["x", (64, 64, 64)], ["y", (64, 16, 64)]]


def test_digits_are_exact_fractions(url):
    """A third of 96 filters is 32 of them; 0.1 is one tenth, which no binary number is."""
    table = pd.DataFrame({"arch": ["139", "339"], "flops": [90, 99], "params": [9, 10], "val_error": 0.1})
    options = {"widths_digits": "arch", "digit_widths": {"1": "1/3", "3": 1, "9": 0.1}, "original_widths": [30, 10, 10]}
    import_results(url, table, **options, **SAID)
    assert load_results(url)["widths"].tolist() == [(10, 10, 1), (30, 10, 1)]


BAD_DIGITS = {
    "a letter": ("44a", r"row 2: widths by the digits 1, 2, 3, 4; found '44a'"),
    "a digit without a meaning": ("445", r"row 2: widths by the digits 1, 2, 3, 4; found '445'"),
    "too short": ("44", r"row 2: 3 digits, one per group of filters; found 2 \(44\)"),
    "too long": ("4444", r"row 2: 3 digits, one per group of filters; found 4 \(4444\)"),
    "missing": (None, r"row 2: widths by the digits 1, 2, 3, 4; found none"),
    "a list": ([4, 4, 4], r"row 2: widths by the digits"),
    "truth": (True, r"row 2: widths by the digits"),
    "twice": ("444", r"row 2: each run once; found that of row 1 again"),
}


@pytest.mark.parametrize("what", BAD_DIGITS)
def test_digits_that_are_no_widths_are_one_line_with_their_row(tmp_path, what):
    value, complaint = BAD_DIGITS[what]
    table = digits("444", "444", "224").astype(object)
    table["arch"] = ["444", value, "224"]
    with pytest.raises(InputError, match=complaint) as caught:
        import_results(tmp_path / "r.db", table, **DIGITS, **SAID)
    assert "\n" not in str(caught.value)
    assert import_results(tmp_path / "r.db", table, skip_bad=True, **DIGITS, **SAID).new_runs == 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"digit_widths": None}, "expected what each digit of 'arch' stands for; found nothing: pass --digit-widths"),
        ({"widths_digits": None}, "expected --widths-digits COLUMN with the meaning of its digits; found no column"),
        (
            {"widths_digits": "arc"},
            "expected a column of digits; found none called 'arc': the table has 'arch', 'flops'",
        ),
        ({"columns": {"widths": "arch"}}, "expected widths once; found --widths-digits arch and the column 'arch'"),
        ({"digit_widths": {"12": 1}}, "expected one digit, 0 to 9, and what it stands for; found '12'"),
        ({"digit_widths": {"x": 1}}, "expected one digit, 0 to 9, and what it stands for; found 'x'"),
        ({"digit_widths": {"1": "half"}}, "expected a number for the digit 1; found 'half'"),
        ({"digit_widths": {"1": "1/0"}}, "expected a number for the digit 1; found '1/0'"),
        ({"digit_widths": {"1": float("nan")}}, "expected a number for the digit 1; found 'nan'"),
        ({"original_widths": None}, "whole filters for the digit 1; found 0.25: pass --original-widths"),
        ({"digit_widths": {"4": 64}}, "for the digit 4; found 64: leave out --original-widths"),
        ({"digit_widths": {"4": 0}}, "for the digit 4; found 0: leave out --original-widths"),
        (
            {"digit_widths": {**QUARTERS, "1": 0.3}},
            "whole filters in every group; found 3/10 of 256, by 1 in 441",
        ),
        ({"original_widths": [64, 0, 1]}, "1 filter or more in each group of --original-widths; found 0"),
        ({"original_widths": [64, 64]}, "2 digits, one per group of filters; found 3"),
        (
            {"digit_widths": {"4": 0.25, "3": 0.5, "2": 0.75, "1": 1}},
            r"expected fewer FLOPs for fewer filters; found 23,703,552 in row 1 with widths \[16, 32, 64\], and "
            r"21,288,960 in row 3 with \[48, 32, 64\]: check --digit-widths and --original-widths",
        ),
    ],
)
def test_options_on_digits_that_contradict_are_one_line(tmp_path, options, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        import_results(tmp_path / "r.db", digits("444", "441", "244"), **{**DIGITS, **SAID, **options})
    assert "\n" not in str(caught.value)
    if (tmp_path / "r.db").exists():
        assert counts(tmp_path / "r.db")["study"] == 0


def test_an_imported_study_is_analysed_like_any_other(tmp_path):
    rng = np.random.default_rng(3)
    ratio = rng.uniform(50, 150, 150)
    error = 0.1 + 0.05 * np.log(ratio / 90) ** 2 + rng.normal(0, 0.002, 150)
    table = simple(150, flops=1_000_000, params=(1_000_000 / ratio).astype(int), val_error=error)
    import_results(tmp_path / "r.db", table, columns={"subnetwork": "arch"}, **SAID)
    optimum = ps.find_optimum(ps.load_results(tmp_path / "r.db"), rng=np.random.default_rng(0))
    assert optimum.verdict == "interior"
    assert optimum.low < 90 < optimum.high
