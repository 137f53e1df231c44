"""Validation of results frames, external tables and their units, means over seeds, and ratios."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prunestats.errors import InputError, ResultsError, UnitWarning
from prunestats.results.frame import check_results, results_frame
from prunestats.results.means import distinct_runs, drop_repeats, one_value, subnetwork_means, unit_means
from prunestats.results.ratio import bucket_counts, log_ratio, ratio


def runs(**columns):
    frame = pd.DataFrame({"subnetwork": ["a", "a", "b"], "seed": [0, 1, 0], "flops": [9, 9, 8], "params": [3, 3, 2]})
    return frame.assign(error=[0.2, 0.4, 0.1]).assign(**columns)


def external(**columns):
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


def test_a_run_may_belong_to_two_spaces():
    frame = pd.concat([runs(space="wide"), runs(space="narrow")])
    assert len(check_results(frame)) == 6
    assert len(subnetwork_means(frame)) == 4


def test_a_run_in_two_spaces_counts_once_where_spaces_are_pooled():
    frame = pd.concat([runs(space="wide"), runs(space="narrow")], ignore_index=True)
    assert drop_repeats(frame).index.tolist() == [0, 1, 2]
    assert distinct_runs(frame, "error")["error"].tolist() == [0.2, 0.4, 0.1]
    means = unit_means(frame, "error")
    assert means["n_runs"].tolist() == [2, 1]
    assert means["seed_squares"].tolist() == pytest.approx([0.02, 0.02])


def test_a_run_that_one_space_holds_twice_is_not_dropped_but_refused():
    frame = pd.concat([runs(space="wide"), runs(space="wide")])
    assert len(drop_repeats(frame)) == 6
    with pytest.raises(ResultsError, match="must be there once; found 3 repeated"):
        unit_means(frame, "error")


def test_seeds_are_averaged_within_original_space_and_regime():
    frame = pd.concat([runs(original=o, regime=r) for o in ("m", "n") for r in (0.5, 0.25)])
    means = subnetwork_means(frame)
    assert len(means) == 8
    assert means["n_runs"].tolist() == [2, 1] * 4
    assert means.loc[means["subnetwork"] == "a", "error"].tolist() == pytest.approx([0.3] * 4)


def test_means_of_another_response_need_numbers_everywhere():
    assert subnetwork_means(runs(log_cross_entropy=[-1.0, -2.0, 0.0]), "log_cross_entropy")[
        "log_cross_entropy"
    ].tolist() == [-1.5, 0.0]
    with pytest.raises(ResultsError, match="log_cross_entropy must be finite"):
        subnetwork_means(runs(log_cross_entropy=[-1.0, np.nan, 0.0]), "log_cross_entropy")
    with pytest.raises(InputError, match="expected a column 'log_cross_entropy'"):
        subnetwork_means(runs(), "log_cross_entropy")
    with pytest.raises(ResultsError, match="numeric column"):
        subnetwork_means(runs(word=["x", "y", "z"]), "word")


def test_two_protocols_are_not_averaged_into_one():
    with pytest.raises(ResultsError, match=r"expected one protocol; found long and short: select one"):
        subnetwork_means(runs(protocol=["short", "long", "short"]))


def test_one_value_of_a_column():
    assert one_value(runs(), "regime") is None
    assert one_value(runs(regime=np.nan), "regime") is None
    assert one_value(runs(regime=0.5), "regime") == 0.5


def test_an_external_table_is_converted_to_our_units():
    table = external(macs=[2.5, 3.5], p=[0.1, 0.2], err=[12.5, 25.0], run=[0, 1], ce=[1.0, np.e])
    frame = results_frame(
        table, **NAMES, seed="run", loss="ce", error_unit="percent", flops_unit="millions", params_unit="millions"
    )
    assert frame["flops"].tolist() == [2_500_000, 3_500_000]
    assert frame["params"].tolist() == [100_000, 200_000]
    assert frame["error"].tolist() == [0.125, 0.25]
    assert frame["log_cross_entropy"].tolist() == pytest.approx([0.0, 1.0])


def test_multiplications_and_additions_counted_apart_are_halved():
    assert results_frame(external(), **NAMES, flops_convention="multiplications-and-additions")["flops"].tolist() == [
        1_000_000,
        1_500_000,
    ]


def test_widths_come_from_a_column_or_from_several():
    table = external(w=[[1, 2], [3, 4]], w1=[1, 3], w2=[2, 4])
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
        ({"ce": [0.0, 1.0]}, {"loss": "ce"}, "loss must be finite and above 0"),
    ],
)
def test_units_that_cannot_be_are_refused(change, arguments, words):
    with pytest.raises(InputError, match=words) as caught:
        results_frame(external(**change), **(NAMES | arguments))
    assert "\n" not in str(caught.value)


def test_buckets_are_counted_layer_by_layer():
    frame = pd.DataFrame({"params": [30, 25], "layer_params": [(9, 21), (10, 10, 5)]})
    assert bucket_counts(frame, 1).tolist() == [30, 25]
    assert bucket_counts(frame, 10).tolist() == [1 + 3, 1 + 1 + 1]


def test_ratios_are_flops_over_buckets():
    frame = pd.DataFrame({"flops": [60, 75], "params": [30, 25], "layer_params": [(9, 21), (10, 10, 5)]})
    assert ratio(frame, 1).tolist() == [2, 3]
    assert ratio(frame, 10).tolist() == [15, 25]
    np.testing.assert_array_equal(log_ratio(frame, 10), np.log([15, 25]))


@pytest.mark.parametrize("bucket", [0, 1.5, -3])
def test_a_bucket_is_a_whole_number_of_parameters(bucket):
    with pytest.raises(InputError, match="whole number of parameters"):
        bucket_counts(pd.DataFrame({"params": [30]}), bucket)


def test_buckets_without_layers_say_what_to_do():
    with pytest.raises(InputError, match=r"results_frame\(layer_params=\.\.\.\), or use bucket=1"):
        bucket_counts(pd.DataFrame({"params": [30]}), 10)
    with pytest.raises(InputError, match="rows without"):
        bucket_counts(pd.DataFrame({"params": [30, 20], "layer_params": [(30,), None]}), 10)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subnetwork": ["a", np.nan, "b"]}, "subnetwork must be there in every run; found 1 of 3 without"),
        ({"subnetwork": ["a", None, ""]}, "subnetwork must be there in every run; found 2 of 3 without"),
        ({"subnetwork": [np.nan] * 3}, "found 3 of 3 without"),
        ({"seed": [0, np.nan, 0]}, "seed must be there in every run; found 1 of 3"),
        ({"original": ["m", None, "m"]}, "original must be there in every run"),
        ({"space": ["m", "m", np.nan]}, "space must be there in every run"),
        ({"protocol": ["p", "p", ""]}, "protocol must be there in every run"),
        ({"regime": [0.5, 0.5, np.nan]}, "regime must be there in every run"),
        ({"regime": 50}, r"regime must be a fraction of the original's FLOPs in \(0, 1\]; found 50: divide by 100"),
        ({"regime": 0.0}, "found 0"),
        ({"regime": "50%"}, "regime must be numbers; found a column of type string"),
        ({"error": ["0.1", "0.2", "0.3"]}, "error must be numbers; found a column of type string: convert it"),
        ({"error": [True, False, True]}, "error must be numbers; found a column of type boolean"),
        ({"flops": [9.5, 9.5, 8]}, r"flops must be whole counts; found 9\.5 in subnetwork a: in millions"),
        ({"params": [-3, -3, 2]}, "params must be counts of 1 or more; found -3"),
        ({"error": pd.array([0.1, None, 0.2], dtype="Float64")}, "1 of 3 runs without a number"),
    ],
)
def test_nothing_is_lost_on_the_way_in(change, words):
    with pytest.raises(ResultsError, match=words) as caught:
        check_results(runs(**change))
    assert "\n" not in str(caught.value)


def test_a_column_without_any_value_counts_as_absent():
    assert len(subnetwork_means(runs(regime=np.nan, original=None, space=None))) == 2


@pytest.mark.parametrize("table", [None, [1, 2], {"error": [0.1]}])
def test_what_is_no_frame_is_refused(table):
    with pytest.raises(ResultsError, match="a pandas DataFrame is needed"):
        check_results(table)
    with pytest.raises(ResultsError, match="a pandas DataFrame is needed"):
        results_frame(table, **NAMES)


def test_columns_of_one_name_are_refused():
    table = external()
    with pytest.raises(ResultsError, match="found 'err' twice"):
        results_frame(pd.concat([table, table[["err"]]], axis=1), **NAMES)


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"arch": ["x", np.nan]}, {}, "subnetwork must be there in every run; found 1 of 2"),
        ({"arch": ["x", None]}, {}, "subnetwork must be there"),
        ({"arch": [1, "1"]}, {}, "must be there once"),
        ({"err": ["10%", "20%"]}, {}, "error must be numbers"),
        ({"err": [True, False]}, {}, "error must be numbers; found bool"),
        ({"err": [0.1 + 1j, 0.2]}, {}, "error must be numbers; found complex128"),
        ({"err": [0.1, np.nan]}, {}, "1 of 2 runs without a number"),
        ({"macs": ["2,000,000", "3,000,000"]}, {}, "flops must be numbers"),
        ({"macs": [-5, 3_000_000]}, {}, "flops must be counts of 1 or more; found -5"),
        ({"macs": [1e30, 1e30]}, {}, "flops must be counts that 64 bits hold"),
        ({"p": [0.1, 0.2]}, {}, r"params must be whole counts; found 0\.1: in millions"),
        ({"p": [1, 2], "macs": [40_000_000, 90_000_000]}, {}, "ten million times the parameters; found 4e"),
        ({}, {"flops_unit": "billions"}, "ten million times the parameters"),
        ({}, {"params_unit": "millions"}, "far below parameters"),
        ({}, {"error_unit": "percents"}, "error_unit must be one of fraction, percent; found 'percents'"),
        (
            {},
            {"flops_convention": "separate"},
            "must be multiply-adds or multiplications-and-additions; found 'separate'",
        ),
        ({}, {"params": "macs"}, "found 'macs' given as flops and as params"),
        ({"ce": [0.5, np.nan]}, {"loss": "ce"}, "found nan in 1 of 2 rows"),
        ({"ce": [0.5, np.inf]}, {"loss": "ce"}, "found inf in 1 of 2 rows"),
        ({"w": [[1.5, 2], [3, 4]]}, {"widths": "w"}, r"whole numbers, 1 or more; found \[1\.5, 2\]"),
        ({"w": [[0, 2], [3, 4]]}, {"widths": "w"}, "whole numbers, 1 or more"),
        ({"w": [[], [3, 4]]}, {"widths": "w"}, "whole numbers, 1 or more"),
        ({"w": [["a", "b"], [3, 4]]}, {"widths": "w"}, "convert its entries"),
        ({"w": [[1, 2], None]}, {"widths": "w"}, "found 'None': parse the column first"),
        ({"w": ["[1, 2]", "[3, 4]"]}, {"widths": "w"}, "parse the column first"),
        ({"w": [[1, 2], [3]]}, {"widths": "w"}, "one entry per group of filters in every row; found 1 to 2"),
        ({"w": [[1, 2], [3, 4]]}, {"layer_params": "w"}, "layer_params must add up to params"),
        ({"w": [[60_000, 60_000], [200_000]]}, {"layer_params": "w"}, "found 120000 of 100000 in subnetwork x"),
    ],
)
def test_an_external_table_is_refused_rather_than_guessed(change, arguments, words):
    table = pd.DataFrame({**external().to_dict("list"), **change})
    with pytest.raises(InputError, match=words) as caught:
        results_frame(table, **(NAMES | arguments))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "arguments", "words"),
    [
        ({"err": [0.07, 0.08]}, {"error_unit": "percent"}, r"every error is below 1 % \(largest 0\.08 %\)"),
        ({"err": [0.93, 0.94]}, {}, r"every error is above 0\.5 \(least 0\.93\)"),
        (
            {"macs": [2_000_001, 3_000_000]},
            {"flops_convention": "multiplications-and-additions"},
            "found odd ones",
        ),
    ],
)
def test_improbable_units_are_warned_of_at_the_callers_line(change, arguments, words):
    with pytest.warns(UnitWarning, match=words) as caught:
        frame = results_frame(external(**change), **(NAMES | arguments))
    assert len(frame) == 2
    assert {warning.filename for warning in caught} == {__file__}


def test_numbers_spelt_as_text_are_read_and_rounding_noise_is_whole():
    frame = results_frame(external(err=["0.1", "0.2"], macs=[2_000_000.0000001, 3e6]), **NAMES)
    assert frame["error"].tolist() == [0.1, 0.2]
    assert frame["flops"].tolist() == [2_000_000, 3_000_000]


def test_layers_may_leave_out_what_is_in_no_layer():
    frame = results_frame(external(w=[[60_000, 39_000], [150_000, 50_000]]), **NAMES, layer_params="w")
    assert frame["layer_params"].tolist() == [(60_000, 39_000), (150_000, 50_000)]
