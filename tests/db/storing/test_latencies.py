"""Latencies: stored once for a subnetwork and setting, read by study, merged, removed and checked."""

from dataclasses import replace

import pytest

from prunestats.db import check_database, merge_database, open_database, read, remove_study, write
from prunestats.db.reading.latencies import LatencySetting, load_latencies, one_setting
from prunestats.db.storing.latencies import LatencyRow, store_latency
from prunestats.errors import DatabaseError, InputError

ROW = LatencyRow(1, "AMD EPYC", "eager", "float32", 1, 1, 2.0, 1.9, 2.2, 3.0, 41)


def add(engine, *rows, again=False):
    with write(engine) as connection:
        return [store_latency(connection, row, again=again) for row in rows]


def test_a_second_measurement_is_kept_only_if_asked_for(engine, fill):
    fill(engine)
    assert add(engine, ROW, replace(ROW, ms=9.0)) == [True, False]
    assert load_latencies(engine)["ms"].tolist() == [2.0]
    assert add(engine, replace(ROW, ms=2.1, ms_high=3.0), again=True) == [True]
    (row,) = load_latencies(engine).to_dict("records")
    assert (row["ms"], row["ms_low"], row["ms_high"], row["dense_ms"], row["repeats"]) == (2.1, 1.9, 3.0, 3.0, 41)
    assert row["speedup"] == pytest.approx(3 / 2.1)
    assert (row["original"], row["runtime"], row["batch"]) == ("net-0", "eager", 1)


@pytest.mark.parametrize("ms", [0.0, -1.0, float("nan"), float("inf")])
def test_only_positive_times_are_stored(engine, fill, ms):
    fill(engine)
    with pytest.raises(DatabaseError, match="positive milliseconds"):
        add(engine, replace(ROW, ms=ms))


def test_latencies_are_those_of_one_study(engine, fill):
    fill(engine)
    fill(engine, study="other", original="net-1", regimes=(0.5,))
    assert load_latencies(engine, study="digits").empty
    add(engine, ROW, replace(ROW, batch=64))
    assert len(load_latencies(engine, study="digits")) == 2
    assert load_latencies(engine, study="other").empty
    with pytest.raises(InputError, match="named 'none'"):
        load_latencies(engine, study="none")


def test_one_setting_is_chosen_or_what_is_stored_is_listed(engine, fill):
    fill(engine)
    add(engine, ROW, replace(ROW, batch=64), replace(ROW, runtime="onnx"), replace(ROW, subnetwork_id=2))
    found = load_latencies(engine)
    setting, rows = one_setting(found, LatencySetting("eager", 1))
    assert (setting.words, len(rows)) == ("eager, float32, batch of 1, 1 thread, AMD EPYC", 2)
    assert one_setting(found, LatencySetting(batch=64, device="epyc"))[0].runtime == "eager"
    with pytest.raises(InputError) as several:
        one_setting(found, LatencySetting(device="AMD"))
    assert str(several.value) == (
        "expected latencies of AMD; found 3 settings, stored are (eager, float32, batch of 1, 1 thread, AMD EPYC), "
        "(eager, float32, batch of 64, 1 thread, AMD EPYC), (onnx, float32, batch of 1, 1 thread, AMD EPYC): choose "
        "with --runtime, --batch"
    )
    with pytest.raises(InputError, match=r"of onnx, batch of 8; found none, stored are \(eager"):
        one_setting(found, LatencySetting("onnx", 8))


def test_a_device_whose_name_is_part_of_another_can_be_chosen(engine, fill):
    fill(engine)
    add(engine, ROW, replace(ROW, device="AMD EPYC 7763"))
    found = load_latencies(engine)
    assert one_setting(found, LatencySetting(device="amd epyc"))[0].device == "AMD EPYC"
    assert one_setting(found, LatencySetting(device="7763"))[0].device == "AMD EPYC 7763"


def test_merging_adds_what_is_missing_and_keeps_what_is_here(engine, fill, tmp_path):
    other = open_database(tmp_path / "other.db")
    fill(engine)
    fill(other)
    add(engine, ROW)
    add(other, replace(ROW, ms=5.0, ms_high=6.0), replace(ROW, subnetwork_id=2))
    done = merge_database(engine, other)
    assert (done.added["latency"], done.conflicts) == (1, ())
    assert sorted(load_latencies(engine)["ms"]) == [2.0, 2.0]
    assert merge_database(engine, other).added["latency"] == 0
    other.dispose()


def test_latencies_go_with_their_subnetwork(engine, fill):
    fill(engine)
    add(engine, ROW, replace(ROW, batch=8))
    with write(engine) as connection:
        removed = remove_study(connection, "digits")
    assert removed.rows["latency"] == 2
    assert "2 latencies" in removed.words
    assert check_database(engine) == []
    with read(engine) as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM latency").scalar() == 0


def test_a_median_outside_its_quartiles_is_found(engine, fill):
    fill(engine)
    add(engine, ROW)
    before = check_database(engine)
    add(engine, replace(ROW, ms_low=2.5), again=True)
    found = [line for line in check_database(engine) if line not in before]
    assert found == ["impossible: 1 latencies whose median lies outside their quartiles"]
