"""Removal: a study, a population or an original goes with what nothing else uses, and nothing more."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select, text
from typer.testing import CliRunner

from prunestats.cli import app
from prunestats.db import (
    forget_declaration,
    load_results,
    merge_database,
    missing_runs,
    open_database,
    read,
    remove_original,
    remove_population,
    remove_study,
    remove_unused,
    rows_hash,
    store_analysis,
    store_study,
    write,
)
from prunestats.db.schema import tables as schema
from prunestats.errors import InputError

KEPT = {"environment"}
"""Tables that a removal does not touch."""


def contents(engine):
    """Every row of every table, but for numbers of rows and times of storing."""
    with read(engine) as connection:
        return {
            name: sorted(repr(tuple(row)) for row in connection.execute(select(table)))
            for name, table in schema.metadata.tables.items()
        }


def counts(engine):
    return {name: len(rows) for name, rows in contents(engine).items()}


def differences(before, after):
    return {name: before[name] - after[name] for name in before if before[name] != after[name]}


def add_analysis(engine, study_id, kind="report"):
    with write(engine) as connection:
        store_analysis(
            connection, study_id=study_id, kind=kind, parameters={}, rows_hash="h", n_rows=1, result={}, versions={}
        )


def removed(engine, remove, *args, **options):
    with write(engine) as connection:
        return remove(connection, *args, **options)


def test_the_only_study_leaves_nothing_but_its_machine(engine, fill):
    stored = fill(engine)
    add_analysis(engine, stored.study_id)
    before = counts(engine)
    done = removed(engine, remove_study, "digits")
    after = counts(engine)
    assert {name for name, n in after.items() if n} == KEPT
    assert {name: n for name, n in done.rows.items() if n} == differences(before, after)
    assert done.studies == ("digits",)
    assert done.originals == ("net-0",)
    assert len(done.populations) == 4
    assert done.populations[0] == "study 'digits', space 'initial', regime 0.5, original 'net' (net-0)"
    assert done.words.startswith("1 study, 4 populations, 1 original, ")
    assert done.words.endswith(" runs and 1 analysis")


def test_another_study_keeps_every_row_of_its_own(engine, fill):
    fill(engine, study="other", original="net-1")
    alone = contents(engine)
    fill(engine)
    done = removed(engine, remove_study, "digits")
    assert done.originals == ("net-0",)
    # protocol and environment are shared, and were there before
    assert contents(engine) == alone


def test_shared_subnetworks_stay_with_the_runs_that_the_other_study_plans(engine, fill):
    """Both studies share their first 4 subnetworks a population, and seed 1; the other has no seed 0."""
    fill(engine, study="other", n=4, seeds=(1, 2))
    hashed = rows_hash(load_results(engine, study="other", state=None))
    before = counts(engine)
    fill(engine, n=6, seeds=(0, 1))
    done = removed(engine, remove_study, "digits")
    assert done.originals == ()
    assert rows_hash(load_results(engine, study="other", state=None)) == hashed
    assert counts(engine) == before
    assert done.rows["protocol"] == 0


def test_a_study_without_a_plan_owns_every_run_of_its_subnetworks(engine, fill):
    fill(engine, n=6, seeds=(0, 1))
    fill(engine, study="other", n=4, plan=False, seeds=(0,))
    shared = select(schema.run.c.id).where(
        schema.run.c.subnetwork_id.in_(select(schema.draw.c.subnetwork_id).where(schema.draw.c.population_id > 4))
    )
    with read(engine) as connection:
        kept = sorted(connection.scalars(shared))
    removed(engine, remove_study, "digits")
    with read(engine) as connection:
        assert sorted(connection.scalars(select(schema.run.c.id))) == kept


def test_an_analysis_of_several_studies_stays(engine, fill):
    stored = fill(engine)
    add_analysis(engine, stored.study_id)
    add_analysis(engine, None, "transfer")
    assert removed(engine, remove_study, "digits").rows["analysis"] == 1
    assert counts(engine)["analysis"] == 1


def test_originals_may_be_kept(engine, fill):
    fill(engine)
    done = removed(engine, remove_study, "digits", keep_originals=True)
    assert done.originals == ()
    assert counts(engine)["original"] == 1
    # and is removed by name
    assert removed(engine, remove_original, "net-0").words == "1 original"


def test_a_removed_study_can_be_stored_again(engine, fill):
    fill(engine)
    hashed = rows_hash(load_results(engine, state=None))
    removed(engine, remove_study, "digits")
    fill(engine)
    assert rows_hash(load_results(engine, state=None)) == hashed


def test_an_original_goes_with_the_populations_of_every_study(engine, fill):
    fill(engine, original="net-1")
    alone = contents(engine)
    fill(engine, original="net-0")
    fill(engine, study="other", original="net-0", regimes=(0.1,))
    done = removed(engine, remove_original, "net-0")
    # the study `other` had nothing else; `digits` keeps its populations of the other original
    assert done.studies == ("other",)
    assert done.originals == ("net-0",)
    assert len(done.populations) == 6
    assert contents(engine) == alone


def test_an_original_may_be_named_by_its_network_if_no_other_has_it(engine, fill):
    fill(engine, original="net-0")
    fill(engine, original="net-1")
    with pytest.raises(InputError, match=r"found 2 originals of the network 'net': .* net-0 \(net\), net-1"):
        removed(engine, remove_original, "net")
    removed(engine, remove_original, "net-0")
    assert removed(engine, remove_original, "net").originals == ("net-1",)


def test_a_population_goes_and_running_the_study_brings_it_back(engine, fill):
    fill(engine)
    before = counts(engine)
    done = removed(engine, remove_population, study="digits", space="initial", regime=0.25)
    assert done.populations == ("study 'digits', space 'initial', regime 0.25, original 'net' (net-0)",)
    assert done.rows["space"] == done.rows["regime"] == done.rows["plan"] == done.rows["original"] == 0
    left = load_results(engine, state=None)
    assert set(zip(left.space, left.regime, strict=True)) == {("initial", 0.5), ("uniform", 0.5), ("uniform", 0.25)}
    assert differences(before, counts(engine)) == {name: n for name, n in done.rows.items() if n}
    fill(engine)
    assert differences(before, counts(engine)).keys() <= {"epoch_metric"}


def test_a_population_of_one_original_is_chosen_by_its_key(engine, fill):
    fill(engine, original="net-0")
    fill(engine, original="net-1")
    done = removed(engine, remove_population, study="digits", space="initial", regime=0.5, original="net-1")
    assert done.populations == ("study 'digits', space 'initial', regime 0.5, original 'net' (net-1)",)
    assert set(load_results(engine, space="initial", regime=0.5).original) == {"net-0"}


def test_with_its_last_population_a_study_goes(engine, fill):
    fill(engine, regimes=(0.5,), spaces=("initial",))
    done = removed(engine, remove_population, study="digits", space="initial", regime=0.5)
    assert done.studies == ("digits",)
    assert done.originals == ("net-0",)
    assert {name for name, n in counts(engine).items() if n} == KEPT


@pytest.mark.parametrize(
    ("remove", "args", "options", "complaint"),
    [
        (remove_study, ("digit",), {}, "expected a study in the database; found 'digit': it has 'digits'"),
        (
            remove_original,
            ("nets",),
            {},
            r"expected the key of one original; found 'nets': the database has net-0 \(net\)",
        ),
        (
            remove_population,
            (),
            {"study": "digits", "space": "intial", "regime": 0.5},
            "expected a space in the database; found 'intial': it has 'initial', 'uniform'",
        ),
        (
            remove_population,
            (),
            {"study": "digits", "space": "initial", "regime": 0.3},
            "found 0.3: it has 0.5, 0.25",
        ),
    ],
)
def test_a_name_that_is_not_there_is_one_line_with_those_that_are(engine, fill, remove, args, options, complaint):
    fill(engine)
    before = contents(engine)
    with pytest.raises(InputError, match=complaint):
        removed(engine, remove, *args, **options)
    assert contents(engine) == before


def test_a_population_that_was_not_sampled_is_one_line(engine, fill):
    fill(engine, original="net-0")
    fill(engine, study="other", original="net-1")
    with pytest.raises(InputError, match="found none of original 'net-1': `prunestats status` lists"):
        removed(engine, remove_population, study="digits", space="initial", regime=0.5, original="net-1")


def test_an_error_afterwards_brings_everything_back(engine, fill):
    fill(engine)
    before = contents(engine)

    def stopped():
        with write(engine) as connection:
            remove_study(connection, "digits")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stopped()
    assert contents(engine) == before


def test_a_study_is_replaced_by_a_changed_one_that_keeps_what_both_share(engine, fill):
    """The changed study samples every other subnetwork, and plans seed 1 alone."""
    stored = fill(engine, n=6, seeds=(0, 1))
    with read(engine) as connection:
        runs = set(connection.scalars(select(schema.run.c.id).where(schema.run.c.seed == 1)))
    with write(engine) as connection:
        sampled = forget_declaration(connection, stored.study_id)
        # one subnetwork is in two populations
        assert len(sampled) == len(set(sampled)) == 23
        study_id = store_study(connection, name="digits", text="changed", fingerprint="g", seed=7)
        for table in (schema.regime, schema.space, schema.population, schema.plan, schema.draw):
            assert connection.scalar(select(func.count()).select_from(table)) == 0
        declare(connection, study_id, stored, sampled[::2])
        done = remove_unused(connection, sampled)
    assert done.rows["subnetwork"] == 11
    assert done.rows["run"] == 23 + 11
    with read(engine) as connection:
        left = connection.execute(select(schema.run.c.id, schema.run.c.seed, schema.run.c.subnetwork_id)).all()
        missing = missing_runs(connection, study_id=study_id, protocol_id=stored.protocol_id, seeds=(1,))
    assert {row.seed for row in left} == {1}
    assert {row.subnetwork_id for row in left} == set(sampled[::2])
    assert {row.id for row in left} <= runs
    assert missing == []


def declare(connection, study_id, stored, members):
    """Store one population of these subnetworks, and a plan of seed 1."""
    regime = {"study_id": study_id, "flops_fraction": 0.5, "tolerance": 1.0}
    space = {"study_id": study_id, "position": 0, "name": "s", "sampler": "s", "parameters": {}, "law": ""}
    (regime_id,) = connection.execute(schema.regime.insert().values(regime)).inserted_primary_key
    (space_id,) = connection.execute(schema.space.insert().values(space)).inserted_primary_key
    population = {"study_id": study_id, "original_id": stored.original_id, "regime_id": regime_id}
    population |= {"space_id": space_id, "attempts": 0, "accepted": 0, "duplicates": 0}
    (population_id,) = connection.execute(schema.population.insert().values(population)).inserted_primary_key
    draws = [{"population_id": population_id, "subnetwork_id": s, "position": k} for k, s in enumerate(members)]
    connection.execute(schema.draw.insert(), draws)
    connection.execute(schema.plan.insert().values(study_id=study_id, protocol_id=stored.protocol_id, seed=1))


def test_merge_brings_a_removed_study_back_from_a_backup(engine, fill, tmp_path):
    other = open_database(tmp_path / "other.db")
    fill(other)
    fill(engine)
    removed(engine, remove_study, "digits")
    assert merge_database(engine, other).conflicts == ()
    assert rows_hash(load_results(engine, state=None)) == rows_hash(load_results(other, state=None))
    other.dispose()


def test_postgresql_is_backed_up_elsewhere_first(postgresql_filled):
    command = ["remove", "--db", postgresql_filled, "--study", "digits"]
    refused = CliRunner().invoke(app, [*command, "--yes"]).exception
    assert isinstance(refused, InputError)
    assert "expected a SQLite file, which can be backed up here; found postgresql://" in str(refused)
    assert "> FILE` first, then pass --no-backup" in str(refused)
    shown = CliRunner().invoke(app, [*command, "--dry-run"]).stdout
    assert "To delete from postgresql+psycopg://tests@/" in shown
    assert "A dry run: nothing was deleted" in shown
    assert "digits" in set(load_results(postgresql_filled).study)


@pytest.mark.slow
def test_a_study_of_more_rows_than_a_statement_takes_is_removed(engine, fill):
    grow(engine, fill, 50_000)
    assert removed(engine, remove_study, "digits").rows["run"] == 100_000


def grow(engine, fill, n):
    """Add subnetworks with two runs each to the first population."""
    stored = fill(engine, n=1, regimes=(0.5,), spaces=("initial",), runs=0, seeds=(0, 1))
    with write(engine) as connection:
        connection.execute(text("DELETE FROM draw"))
        connection.execute(text("DELETE FROM subnetwork"))
        rows = [{"original_id": stored.original_id, "key": f"{k}", "flops": 9, "params": 9} for k in range(n)]
        connection.execute(schema.subnetwork.insert(), rows)
        ids = connection.scalars(select(schema.subnetwork.c.id)).all()
        draws = [{"population_id": 1, "subnetwork_id": each, "position": k} for k, each in enumerate(ids)]
        connection.execute(schema.draw.insert(), draws)
        runs = [
            {"subnetwork_id": each, "protocol_id": stored.protocol_id, "seed": seed, "state": "done", "val_error": 0.5}
            for each in ids
            for seed in (0, 1)
        ]
        connection.execute(schema.run.insert(), runs)
