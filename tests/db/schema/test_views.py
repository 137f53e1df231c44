"""The views, compared with the same numbers computed by pandas."""

import numpy as np
import pandas as pd

from prunestats.db import load_results, query, write
from prunestats.db.schema.views import VIEWS

UNIT = ["study", "original", "regime", "space", "subnetwork", "protocol"]


def view(url, name):
    answer = query(url, f"SELECT * FROM {name}", limit=None)
    return pd.DataFrame(answer.rows, columns=list(answer.columns))


def test_results_hold_one_row_a_run_in_a_population(filled):
    results = view(filled, "results")
    assert not results.duplicated([*UNIT, "seed"]).any()
    assert len(results) == 2 * 4 * 6 * 2
    np.testing.assert_allclose(results["ratio"], results["flops"] / results["params"], rtol=1e-15)
    np.testing.assert_allclose(results["flops_fraction"], results["flops"] / results["original_flops"], rtol=1e-15)


def test_populations_average_the_runs_that_are_done(filled):
    done = view(filled, "results").query("state == 'done'")
    grouped = done.groupby(UNIT)["val_error"]
    expected = pd.DataFrame({"mean": grouped.mean(), "variance": grouped.var(), "n": grouped.size()})
    found = view(filled, "populations")
    assert found["n_failed"].sum() == (view(filled, "results")["state"] == "failed").sum()
    found = found[found["n_done"] > 0].set_index(UNIT).loc[expected.index]
    np.testing.assert_allclose(found["val_error"], expected["mean"], rtol=1e-12)
    np.testing.assert_allclose(found["val_error_variance"].astype(float), expected["variance"], rtol=1e-6)
    assert (found["n_done"] == expected["n"]).all()
    assert (found["val_error_min"] <= found["val_error"]).all()


def test_edf_is_the_share_at_or_below(filled):
    edf = view(filled, "edf")
    for _, population in edf.groupby(["study", "original", "regime", "space", "protocol"]):
        errors = population["val_error"].to_numpy()
        expected = (errors[None, :] <= errors[:, None]).mean(axis=1)
        np.testing.assert_allclose(population["edf"], expected, rtol=1e-12)
        assert (population["n"] == len(errors)).all()


def test_edf_counts_ties_at_or_below(url, engine, fill):
    fill(engine, n=4, regimes=(0.5,), spaces=("initial",), seeds=(0,))
    with write(engine) as connection:
        connection.exec_driver_sql("UPDATE run SET val_error = 0.25 WHERE val_error < 0.9")
    assert set(view(url, "edf")["edf"]) == {1.0}


def test_leaderboard_ranks_all_spaces_together(filled):
    board = view(filled, "leaderboard")
    expected = board.groupby(["original", "regime"])["val_error"].rank(method="min")
    assert (board["place"] == expected).all()


def test_pareto_is_not_dominated(filled):
    every = view(filled, "populations").dropna(subset="val_error")
    for original, front in view(filled, "pareto").groupby("original"):
        mine = every[every["original"] == original].drop_duplicates("subnetwork")
        flops, error = mine["flops"].to_numpy(), mine["val_error"].to_numpy()
        no_worse = (flops[None, :] <= flops[:, None]) & (error[None, :] <= error[:, None])
        better = (flops[None, :] < flops[:, None]) | (error[None, :] < error[:, None])
        expected = set(mine["subnetwork"][~(no_worse & better).any(axis=1)])
        assert sorted(front["subnetwork"]) == sorted(expected)


def test_pareto_names_the_regimes_that_a_subnetwork_was_drawn_in(filled):
    drawn = view(filled, "results").groupby(["original", "subnetwork"])["regime"]
    expected = drawn.agg(lambda targets: ", ".join(f"{target:g}" for target in sorted(set(targets), reverse=True)))
    front = view(filled, "pareto").set_index(["original", "subnetwork"])["regimes"]
    assert len(front) > 0
    assert front.to_dict() == expected[front.index].to_dict()


def test_a_subnetwork_of_two_regimes_names_the_larger_first(url, engine, fill):
    fill(engine, n=3, regimes=(0.25, 0.5), spaces=("initial",), seeds=(0,))
    with write(engine) as connection:
        connection.exec_driver_sql(
            "INSERT INTO draw (population_id, subnetwork_id, position) "
            "SELECT p.id, d.subnetwork_id, d.position + 100 FROM draw d JOIN population p ON p.id <> d.population_id "
            "JOIN population own ON own.id = d.population_id AND own.original_id = p.original_id"
        )
    assert set(view(url, "pareto")["regimes"]) == {"0.5, 0.25"}


def test_failures_say_why(filled):
    failures = view(filled, "failures")
    assert len(failures) == (view(filled, "results")["state"] == "failed").sum() > 0
    assert set(failures["failure"]) == {"loss is not finite"}


def test_a_study_sees_the_runs_that_it_planned(url, engine, fill):
    fill(engine, study="one", seeds=(0,))
    before = load_results(url, study="one")
    fill(engine, study="two", seeds=(0, 1, 2))
    fill(engine, study="three", protocol="scratch", seeds=(0,))
    pd.testing.assert_frame_equal(load_results(url, study="one"), before)
    assert set(load_results(url, study="two")["seed"]) == {0, 1, 2}
    assert set(load_results(url, study="three")["protocol"]) == {"scratch"}


def test_a_study_without_a_plan_sees_every_run_of_its_subnetworks(url, engine, fill):
    fill(engine, study="one", seeds=(0,))
    fill(engine, study="import", plan=False, runs=0)
    names = ["subnetwork", "seed", "error"]
    pd.testing.assert_frame_equal(load_results(url, study="import")[names], load_results(url, study="one")[names])


def test_every_view_answers_on_an_empty_database(url, engine):
    for name in VIEWS:
        assert query(url, f"SELECT * FROM {name}").rows == []
