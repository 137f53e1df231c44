"""No statistic pools data sets or protocols: each refuses a frame that mixes them."""

import numpy as np
import pandas as pd
import pytest

import prunestats as ps
from prunestats.errors import InputError, ResultsError
from prunestats.results.designs import group_designs


def population(seed=0, n=120, **columns):
    """Two spaces of one original in one regime, two training seeds each."""
    rng = np.random.default_rng(seed)
    params = rng.integers(5_000, 20_000, n)
    frame = pd.DataFrame({"subnetwork": [f"{seed}-{i}" for i in range(n)], "flops": 1_000_000, "params": params})
    frame = frame.assign(space=["wide", "narrow"] * (n // 2), regime=0.5, original=f"net-{seed}", network="net")
    frame["error"] = 0.1 + 0.1 * np.log(params / 10_000) ** 2 + 0.005 * rng.standard_normal(n)
    runs = [frame.assign(seed=one, error=frame["error"] + 0.002 * rng.standard_normal(n)) for one in (0, 1)]
    costs = {"original_flops": 4_000_000, "original_params": 40_000}
    return pd.concat(runs, ignore_index=True).assign(**costs | columns)


def mixed(column):
    """Two originals that differ in a column."""
    return pd.concat([population(0, **{column: "first"}), population(1, **{column: "second"})], ignore_index=True)


def head_to_head(frame):
    return ps.head_to_head(*(frame[frame["space"] == name] for name in ("wide", "narrow")), k=5)


def winner(frame):
    return ps.winner_error(frame.assign(original="one"), rng=np.random.default_rng(0))


STATISTICS = {
    "compare": ps.compare,
    "compare_buckets": lambda frame: ps.compare_buckets(frame, sizes=[1]),
    "confirm": lambda frame: ps.confirm(frame, "0-0"),
    "find_optimum": ps.find_optimum,
    "head_to_head": head_to_head,
    "optimum_across_regimes": lambda frame: ps.optimum_across_regimes(
        frame.assign(regime=np.where(frame["original"] == "net-0", 0.5, 0.25))
    ),
    "variance_components": ps.variance_components,
    "winner_error": winner,
    "winners_near_optimum": lambda frame: ps.winners_near_optimum(frame, rng=np.random.default_rng(0)),
}


@pytest.mark.parametrize(("column", "words"), [("dataset", "data set"), ("protocol", "protocol")])
@pytest.mark.parametrize("name", STATISTICS)
def test_a_mixture_is_refused_by_every_statistic(name, column, words):
    with pytest.raises(ResultsError, match=f"expected one {words}; found first and second: select one, as in frame"):
        STATISTICS[name](mixed(column))


@pytest.mark.parametrize(
    "name", [name for name in STATISTICS if name not in {"winner_error", "optimum_across_regimes"}]
)
def test_several_networks_on_one_data_set_are_analysed(name):
    frame = mixed("network").assign(dataset="digits", protocol="finetune")
    STATISTICS[name](frame)


def test_a_data_set_that_is_recorded_for_some_runs_only_is_another_one():
    with pytest.raises(ResultsError, match="expected one data set; found digits and not recorded"):
        ps.compare(pd.concat([population(0, dataset="digits"), population(1, dataset=None)], ignore_index=True))
    ps.compare(population(0, dataset=None))


def test_protocols_may_be_what_is_compared_and_data_sets_may_not():
    frame = population(0)
    frame["protocol"] = np.where(frame["space"] == "wide", "long", "short")
    assert ps.compare(frame, by="protocol").pairs[0].a == "long"
    with pytest.raises(ResultsError, match="expected one protocol"):
        ps.compare(frame.assign(rest=frame["space"]), by="rest")
    with pytest.raises(InputError, match="compared within original"):
        ps.compare(mixed("dataset"), by="dataset")


def test_one_network_on_two_data_sets_is_two_designs_and_named_with_them():
    found = ps.transfer_optimum(mixed("dataset"), rng=np.random.default_rng(0))
    assert [one.design.name for one in found.optima] == ["net, first", "net, second"]
    frame = pd.concat([population(0, dataset="d0"), population(1, dataset="d1", network="other")], ignore_index=True)
    assert [one.name for one in group_designs(frame)] == ["net, d0", "other, d1"]
    with pytest.raises(ResultsError, match="expected one protocol"):
        ps.transfer_optimum(mixed("protocol").assign(network=["a"] * 240 + ["b"] * 240), rng=np.random.default_rng(0))
