"""The database with a million runs: storing, loading and queries, against the usual alternatives."""

from __future__ import annotations

import csv
import hashlib
import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from sqlalchemy import create_engine
from sqlalchemy.orm import Session, registry

from benchmarks.measure import Comparison, seconds
from prunestats.cost.model import CostModel, Layer
from prunestats.db import (
    OriginalRow,
    Outcome,
    SubnetworkRow,
    load_results,
    missing_runs,
    open_database,
    query,
    read,
    store_environment,
    store_original,
    store_outcomes,
    store_plan,
    store_population,
    store_protocol,
    store_regime,
    store_space,
    store_study,
    write,
)
from prunestats.db.reading import fetch as reader
from prunestats.db.schema import tables as schema

RUNS = 1_000_000
SEEDS = (0, 1)
GROUPS = 10
REGIMES = (0.5, 0.25, 0.1)
SPACES = ("initial", "refined")
BATCH = 100_000
VIEWS = ("results", "populations", "edf", "leaderboard", "pareto")
QUERY = "SELECT regime, space, count(*), avg(val_error) FROM {} GROUP BY regime, space"
FRONT = "SELECT count(*), avg(flops_fraction), avg(val_error) FROM pareto"


def comparisons(runs: int = RUNS) -> Iterator[Comparison]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "results.db"
        yield _storing(path, runs)
        yield from _loading(path, Path(folder))
        yield from _querying(path)


def _storing(path: Path, runs: int) -> Comparison:
    """Store outcomes in bulk; they are freed before anything is loaded, or the garbage collector would visit them."""
    outcomes = _store_populations(path, runs // len(SEEDS))
    stored = seconds(lambda: _store(path, outcomes), len(outcomes), repeats=1)
    size = path.stat().st_size / len(outcomes)
    print(f"{len(outcomes):,} runs: {1 / stored:,.0f} stored a second, {size:.0f} bytes of file each")
    few = outcomes[: len(outcomes) // 10]
    other = seconds(lambda: _add_all(str(path.parent), few), len(few), repeats=1)
    return Comparison("storing", "run", stored, "ORM add_all", other)


def _loading(path: Path, folder: Path) -> Iterator[Comparison]:
    """Load a frame of every run, with and without ADBC, against pandas on the view, CSV, and a pickle of dicts."""
    engine = create_engine(f"sqlite:///{path}")
    frame = pd.read_sql("SELECT * FROM results", engine)
    unit = f"{len(frame):,} runs"
    others = {"pandas.read_sql": seconds(lambda: pd.read_sql("SELECT * FROM results", engine), repeats=1)}
    frame.to_csv(folder / "results.csv", index=False, quoting=csv.QUOTE_MINIMAL)
    others["pandas.read_csv"] = seconds(lambda: pd.read_csv(folder / "results.csv", low_memory=False), repeats=1)
    (folder / "results.pickle").write_bytes(pickle.dumps(frame.to_dict("records")))
    del frame
    others["a pickle of dicts"] = seconds(
        lambda: pd.DataFrame(pickle.loads((folder / "results.pickle").read_bytes())), repeats=1
    )
    engine.dispose()
    ways = {"with ADBC": reader.fast} if reader.fast("sqlite") else {}
    for way, fast in {**ways, "without": lambda dialect: False}.items():
        before, reader.fast = reader.fast, fast
        ours = seconds(lambda: load_results(path, state=None), repeats=2)
        reader.fast = before
        for other, other_s in others.items():
            yield Comparison(f"load_results {way}", unit, ours, other, other_s)


def _querying(path: Path) -> Iterator[Comparison]:
    """Query each view over every run, against loading all runs and grouping in pandas."""
    columns = ["original", "regime", "space", "subnetwork", "flops", "val_error"]
    grouped = seconds(lambda: _group(load_results(path, state=None, columns=columns)), repeats=1)
    for view in VIEWS:
        text = FRONT if view == "pareto" else QUERY.format(view)
        took = seconds(lambda text=text: query(path, text), repeats=2)
        yield Comparison(f"view {view}", "query", took, "load, then group in pandas", grouped)


def _group(frame: pd.DataFrame) -> pd.DataFrame:
    units = frame.groupby(["regime", "space", "subnetwork"], as_index=False)["val_error"].mean()
    return units.groupby(["regime", "space"])["val_error"].agg(["count", "mean"])


def _store(path: Path, outcomes: list[tuple[dict[str, int], Outcome]]) -> None:
    engine = open_database(path)
    for start in range(0, len(outcomes), BATCH):
        with write(engine) as connection:
            store_outcomes(connection, outcomes[start : start + BATCH])
    engine.dispose()


def _add_all(folder: str, outcomes: list[tuple[dict[str, int], Outcome]]) -> None:
    """Store the same rows through the ORM of SQLAlchemy."""
    engine = create_engine(f"sqlite:///{folder}/orm.db")
    schema.metadata.create_all(engine)
    made = type("Run", (), {})
    registry().map_imperatively(made, schema.run)
    with Session(engine) as session:
        rows = []
        for key, outcome in outcomes:
            row = made()
            values = {name: value for name, value in vars(outcome).items() if name != "epochs_log"}
            for name, value in {**key, **values}.items():
                setattr(row, name, value)
            rows.append(row)
        session.add_all(rows)
        session.commit()
    engine.dispose()


def _store_populations(path: Path, subnetworks: int) -> list[tuple[dict[str, int], Outcome]]:
    """Store a study without runs; return the key and outcome of each run."""
    layers = tuple(
        Layer(f"conv{g}", "Conv2d", ((g, 1),), 0, ((min(g + 1, GROUPS - 1), 1),), 0, 9 * 64, 0, 9, 2)
        for g in range(GROUPS)
    )
    cost = CostModel(tuple(f"group{g}" for g in range(GROUPS)), (64,) * GROUPS, layers)
    rng = np.random.default_rng(0)
    engine = open_database(path)
    with write(engine) as connection:
        study = store_study(connection, name="large", text="", fingerprint="f", seed=0)
        host = store_environment(connection, host="lab", platform="Linux", python="3.12", versions={})
        original = store_original(
            connection,
            OriginalRow(
                key=hashlib.sha256(b"original").hexdigest(),
                network="net",
                dataset="digits",
                seed=0,
                group_names=cost.group_names,
                group_sizes=cost.group_sizes,
                cost=cost.to_dict(),
                flops=cost.flops(cost.sizes).item(),
                params=cost.params(cost.sizes).item(),
            ),
        )
        protocol = store_protocol(connection, key="p" * 64, name="finetune", parameters={})
        store_plan(connection, study_id=study, protocol_id=protocol, seeds=SEEDS)
        for regime in REGIMES:
            for space in SPACES:
                _store_population(connection, cost, rng, study, original, regime, space, subnetworks // 6)
    with read(engine) as connection:
        missing = missing_runs(connection, study_id=study, protocol_id=protocol, seeds=SEEDS)
    engine.dispose()
    key = {"protocol_id": protocol, "environment_id": host}
    return [
        ({"subnetwork_id": run.subnetwork_id, "seed": run.seed, **key}, _outcome(number, error))
        for number, (run, error) in enumerate(zip(missing, rng.random(len(missing)).tolist(), strict=True))
    ]


def _store_population(connection, cost, rng, study, original, regime, space, n) -> None:
    widths = np.unique(rng.integers(1, 65, (n, GROUPS)), axis=0)
    costs = zip(widths.tolist(), cost.flops(widths).tolist(), cost.params(widths).tolist(), strict=True)
    store_population(
        connection,
        study_id=study,
        original_id=original,
        regime_id=store_regime(connection, study_id=study, flops_fraction=regime, tolerance=0.02),
        space_id=store_space(
            connection, study_id=study, name=space, sampler="independent", parameters={}, law="uniform"
        ),
        attempts=10 * n,
        accepted=n,
        duplicates=0,
        subnetworks=[
            SubnetworkRow(hashlib.sha256(repr(row).encode()).hexdigest(), tuple(row), flops, params)
            for row, flops, params in costs
        ],
    )


def _outcome(number: int, error: float) -> Outcome:
    if number % 50 == 0:
        return Outcome("failed", wall_s=0.1, failure="DivergedError: training loss became nan")
    return Outcome("done", error / 2, error / 2 + 0.01, error, error + 0.1, error / 2, 5, 30.0)
