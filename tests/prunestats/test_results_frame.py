"""The door: what is refused, with which words, and how seeds are averaged."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunestats.buckets import bucket_counts
from prunestats.errors import InputError, ResultsError
from prunestats.results import check_results, one_value, results_frame, subnetwork_means


def runs(**columns):
    frame = pd.DataFrame({"subnetwork": ["a", "a", "b"], "seed": [0, 1, 0], "flops": [9, 9, 8], "params": [3, 3, 2]})
    return frame.assign(error=[0.2, 0.4, 0.1]).assign(**columns)


def outside(**columns):
    table = pd.DataFrame(
        {"arch": ["x", "y"], "macs": [2_000_000, 3_000_000], "p": [100_000, 200_000], "err": [0.1, 0.2]}
    )
    return table.assign(**columns)


NAMES = {"subnetwork": "arch", "flops": "macs", "params": "p", "error": "err"}


def test_a_good_frame_is_returned_untouched():
    frame = runs()
    before = frame.copy()
    assert check_results(frame) is frame
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"error": [0.2, 93.1, 0.1]}, r"found 93\.1 in subnetwork a: divide by 100\?"),
        ({"error": [0.2, -0.1, 0.1]}, r"fraction in \[0, 1\]; found -0\.1"),
        ({"error": [0.2, np.nan, 0.1]}, "1 of 3 runs without a number, the first in subnetwork a"),
        ({"flops": [9, np.inf, 8]}, "flops must be finite"),
        ({"params": [3, 3, 0]}, "params must be counts of 1 or more; found 0 in subnetwork b"),
        ({"seed": [0, 0, 0]}, r"\(subnetwork, seed\) must be there once; found 1 repeated, the first of subnetwork a"),
        ({"flops": [9, 10, 8]}, "one cost; found several in a"),
    ],
)
def test_what_cannot_be_analysed_is_refused_in_one_line(change, words):
    with pytest.raises(ResultsError, match=words) as caught:
        check_results(runs(**change))
    assert "\n" not in str(caught.value)


def test_missing_columns_are_named():
    with pytest.raises(ResultsError, match="not found: params, error"):
        check_results(runs().drop(columns=["params", "error"]))


def test_an_empty_frame_is_refused():
    with pytest.raises(ResultsError, match="at least one run"):
        check_results(runs().iloc[:0])


def test_repeated_runs_without_a_seed_column_ask_for_one():
    with pytest.raises(ResultsError, match="add a seed column"):
        check_results(runs().drop(columns="seed"))


def test_one_run_may_stand_in_two_spaces():
    frame = pd.concat([runs(space="wide"), runs(space="narrow")])
    assert len(check_results(frame)) == 6
    assert len(subnetwork_means(frame)) == 4


def test_seeds_are_averaged_within_original_space_and_regime():
    frame = pd.concat([runs(original=o, regime=r) for o in ("m", "n") for r in (0.5, 0.25)])
    means = subnetwork_means(frame)
    assert len(means) == 8
    assert means["n_runs"].tolist() == [2, 1] * 4
    assert means.loc[means["subnetwork"] == "a", "error"].tolist() == pytest.approx([0.3] * 4)


def test_means_of_another_response_need_numbers_everywhere():
    assert subnetwork_means(runs(log_loss=[-1.0, -2.0, 0.0]), "log_loss")["log_loss"].tolist() == [-1.5, 0.0]
    with pytest.raises(ResultsError, match="log_loss must be finite"):
        subnetwork_means(runs(log_loss=[-1.0, np.nan, 0.0]), "log_loss")
    with pytest.raises(InputError, match="expected a column 'log_loss'"):
        subnetwork_means(runs(), "log_loss")
    with pytest.raises(ResultsError, match="numeric column"):
        subnetwork_means(runs(word=["x", "y", "z"]), "word")


def test_two_protocols_are_not_averaged_into_one():
    with pytest.raises(ResultsError, match=r"one protocol at a time is analysed; found 2 \(long, short\)"):
        subnetwork_means(runs(protocol=["short", "long", "short"]))


def test_one_value_of_a_column():
    assert one_value(runs(), "regime") is None
    assert one_value(runs(regime=np.nan), "regime") is None
    assert one_value(runs(regime=0.5), "regime") == 0.5


def test_an_outside_table_is_mapped_and_scaled():
    table = outside(macs=[2.5, 3.5], p=[0.1, 0.2], err=[12.5, 25.0], run=[0, 1], ce=[1.0, np.e])
    frame = results_frame(
        table, **NAMES, seed="run", loss="ce", error_unit="percent", flops_unit="millions", params_unit="millions"
    )
    assert frame["flops"].tolist() == [2_500_000, 3_500_000]
    assert frame["params"].tolist() == [100_000, 200_000]
    assert frame["error"].tolist() == [0.125, 0.25]
    assert frame["log_loss"].tolist() == pytest.approx([0.0, 1.0])


def test_multiplications_and_additions_counted_apart_are_halved():
    assert results_frame(outside(), **NAMES, flops_convention="separate")["flops"].tolist() == [1_000_000, 1_500_000]


def test_widths_come_from_a_column_or_from_several():
    table = outside(w=[[1, 2], [3, 4]], w1=[1, 3], w2=[2, 4])
    one = results_frame(table, **NAMES, widths="w")["widths"].tolist()
    several = results_frame(table, **NAMES, widths=["w1", "w2"])["widths"].tolist()
    assert one == several == [(1, 2), (3, 4)]


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"err": [93.1, 90.0]}, {}, r"found 93\.1 in subnetwork x: divide by 100\?"),
        ({"macs": [2.5, 3.5]}, {}, r"flops must be whole counts; found 2\.5: in millions\? pass flops_unit='millions'"),
        ({"macs": [200, 300]}, {}, "found 200 FLOPs and 100000 parameters in subnetwork x: one of them in millions"),
        ({"macs": [2.0, np.nan]}, {"flops_unit": "millions"}, "flops must be finite; found 1 missing"),
        ({"macs": ["many", "few"]}, {}, "flops must be numbers"),
        ({}, {"flops": "flop"}, "expected a column 'flop'; found arch, macs, p, err: check the spelling"),
        (
            {},
            {"flops_unit": "dozens"},
            "flops_unit must be one of counts, thousands, millions, billions; found 'dozens'",
        ),
        ({"ce": [0.0, 1.0]}, {"loss": "ce"}, "loss must be above 0"),
    ],
)
def test_units_that_cannot_be_are_refused(change, arguments, words):
    with pytest.raises(InputError, match=words) as caught:
        results_frame(outside(**change), **(NAMES | arguments))
    assert "\n" not in str(caught.value)


def test_buckets_are_counted_layer_by_layer():
    frame = pd.DataFrame({"params": [30, 25], "layer_params": [(9, 21), (10, 10, 5)]})
    assert bucket_counts(frame, 1).tolist() == [30, 25]
    assert bucket_counts(frame, 10).tolist() == [1 + 3, 1 + 1 + 1]


@pytest.mark.parametrize("bucket", [0, 1.5, -3])
def test_a_bucket_is_a_whole_number_of_parameters(bucket):
    with pytest.raises(InputError, match="whole number of parameters"):
        bucket_counts(pd.DataFrame({"params": [30]}), bucket)


def test_buckets_without_layers_say_what_to_do():
    with pytest.raises(InputError, match=r"results_frame\(layer_params=\.\.\.\), or use bucket=1"):
        bucket_counts(pd.DataFrame({"params": [30]}), 10)
    with pytest.raises(InputError, match="rows without"):
        bucket_counts(pd.DataFrame({"params": [30, 20], "layer_params": [(30,), None]}), 10)
