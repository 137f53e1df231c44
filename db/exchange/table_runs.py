"""Parsing of an external table: runs as the database stores them, and refused rows with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from prunestats.db.exchange.cell_values import converters, parse_widths, seed_values
from prunestats.db.exchange.column_roles import Meaning, seeded_roles
from prunestats.db.exchange.consistency import Consistency
from prunestats.db.exchange.plausible_units import Costs, check_fraction, check_fractions
from prunestats.db.exchange.refused_rows import Refusal, RefusedError, Run
from prunestats.db.schema.tables import OPTIONAL_METRICS
from prunestats.db.storing.insert_once import content_hash, short

_KEY_LENGTH = 500
"""Characters of a key: an index entry of PostgreSQL holds at most 2,700 bytes; the tables check the same length."""

_LARGEST_METRIC = 1e300
"""Losses, seconds and latencies above it are refused as infinite, as the checks of the tables do."""

_BAND_ROUNDING = 1e-9
"""Relative slack at the edge of a band: many times the rounding error of a quotient, far below one FLOP."""

ANY_COST = 1.0
"""Relative tolerance of the regime of a table without FLOPs, which has no target: the largest one."""


def parse_runs(
    table: pd.DataFrame,
    meaning: Meaning,
    defaults: Mapping[str, Any],
    bands: Sequence[tuple[float, float]],
    stored: Costs,
    *,
    any_fraction: bool = False,
) -> tuple[list[Run], list[Refusal]]:
    """Return the runs of a table, once per population that contains them, and the rows that cannot be stored.

    Parameters
    ----------
    table : DataFrame
        From `read_table`.
    meaning : Meaning
    defaults : mapping
        Values of roles for which a row has none.
    bands : sequence of (float, float)
        Regimes (target, relative tolerance) for rows that name none.
    stored : mapping
        FLOPs and parameters of the originals in the database, by key.
    any_fraction : bool
        Whether costs may be any fraction of the original's.

    Returns
    -------
    runs : list of dict
        Keys are the columns of the view `results`, and `row`, the number of the row.
    refusals : list of Refusal
        In the order of the table.

    Raises
    ------
    InputError
        For costs whose fractions of the original's suggest another unit.
    """
    refusals: list[Refusal] = []
    records: list[tuple[int, Run, list[Run]]] = []
    read = _reader(meaning)
    columns = table.columns.tolist()
    for row, cells in zip(table.index.tolist(), table.to_numpy().tolist(), strict=True):
        record = dict(zip(columns, cells, strict=True))
        try:
            shared, metrics = read(record)
            shared = {**defaults, **{name: value for name, value in shared.items() if value is not None}}
            _identify(shared, meaning)
        except RefusedError as refused:
            refusals.append(Refusal(row, *refused.args))
            continue
        records.append((row, shared, metrics))
    largest = _largest_costs([shared for _, shared, _ in records])
    for _, shared, _ in records:
        flops, params = largest[shared["original"]]
        known = stored.get(shared["original"], (None, params))
        shared.setdefault("original_flops", flops if known[0] is None else known[0])
        shared.setdefault("original_params", known[1])
    # an export was checked when its runs were first stored
    plausible = not any_fraction and "planned" not in meaning.columns
    if plausible:
        check_fractions([(row, shared) for row, shared, _ in records], meaning, defaults, stored)
    consistency = Consistency()
    runs: list[Run] = []
    for row, shared, metrics in records:
        for values in metrics:
            try:
                if plausible:
                    check_fraction(shared)
                run = _checked({"row": row, **shared, **values}, meaning.selects_by_test)
                copies = [
                    {**run, "regime": regime, "tolerance": tolerance} for regime, tolerance in _regimes(run, bands)
                ]
                consistency.check(copies)
            except RefusedError as refused:
                refusals.append(Refusal(row, *refused.args))
            else:
                runs += copies
    return runs, sorted(refusals, key=lambda refusal: refusal.row)


def _reader(meaning: Meaning) -> Callable[[dict[str, Any]], tuple[Run, list[Run]]]:
    """Return a function that splits a record into the values that its runs share, and seed and metrics of each run."""
    several = seeded_roles(meaning.metric)
    single = {role: columns[0] for role, columns in meaning.columns.items() if role not in (*several, "widths")}
    seeded = {role: meaning.columns[role] for role in several if role in meaning.columns}
    convert = converters(meaning)
    widths = meaning.columns.get("widths", ())

    def read(record: dict[str, Any]) -> tuple[Run, list[Run]]:
        shared = {role: convert[role](role, record[column]) for role, column in single.items()}
        if meaning.digits is not None:
            shared["widths"] = meaning.digits.widths(record[meaning.digits.column])
        elif widths:
            shared["widths"] = parse_widths([record[column] for column in widths])
        values = {role: seed_values([record[column] for column in columns]) for role, columns in seeded.items()}
        n = max(map(len, values.values()))
        for role, found in values.items():
            if len(found) != n:
                raise RefusedError("one value per seed of every metric", f"{n} and {len(found)} of {role}")
        if n > 1 and shared.get("seed") is not None:
            raise RefusedError("one row per seed, or several values per row", "both")
        runs: list[Run] = [{"seed": number} if shared.get("seed") is None else {} for number in range(n)]
        for number, run in enumerate(runs):
            run |= {meaning.of_split(role): convert[role](role, found[number]) for role, found in values.items()}
        return shared, runs

    return read


def _identify(shared: Run, meaning: Meaning) -> None:
    """Refuse a record without cost or name; derive missing keys by hashing the content that they stand for."""
    # an export may hold studies with FLOPs and others without
    without = not meaning.has_flops or ("planned" in meaning.columns and shared.get("metric") is not None)
    for name in ("flops", "params"):
        if name == "flops" and without and shared.get(name) is None:
            shared[name] = None
            continue
        if shared.get(name) is None:
            raise RefusedError(f"{name} in every row", "none")
        if shared[name] < 1:
            raise RefusedError(f"{name} of 1 or more", str(shared[name]))
    if shared.get("original") is None:
        raise RefusedError("the name of an original", "none")
    if shared.get("network") is None:
        shared["network"] = shared["original"]
        shared["original"] = content_hash([shared["network"], shared["dataset"], shared.get("original_seed")])[:16]
    if shared.get("subnetwork") is None:
        if shared.get("widths") is None:
            raise RefusedError("a key or the widths of every subnetwork", "none")
        shared["subnetwork"] = content_hash([shared["original"], shared["widths"]])[:16]
    if shared.get("protocol_key") is None:
        shared["protocol_key"] = content_hash([shared["protocol"], shared["protocol_parameters"]])[:16]
    for name in ("original", "subnetwork", "protocol_key"):
        if len(shared[name]) > _KEY_LENGTH:
            raise RefusedError(f"a key of at most {_KEY_LENGTH} characters for {name}", f"{len(shared[name])}")


def _largest_costs(records: Sequence[Run]) -> dict[str, tuple[int | None, int]]:
    """Return the largest FLOPs and parameters among the subnetworks of each original: its default cost."""
    found: dict[str, tuple[int, int]] = {}
    for shared in records:
        flops, params = found.get(shared["original"], (0, 0))
        found[shared["original"]] = max(flops, shared["flops"] or 0), max(params, shared["params"])
    return {original: (flops or None, params) for original, (flops, params) in found.items()}


def _regimes(run: Run, bands: Sequence[tuple[float, float]]) -> list[tuple[float | None, float]]:
    if run["flops"] is None:
        if run.get("regime") is not None:
            raise RefusedError("no regime without FLOPs, as it is a band of them", f"{run['regime']:g}")
        return [(None, ANY_COST)]
    if run.get("regime") is not None:
        if not 0 < run["regime"] <= 1:
            raise RefusedError("regime as a fraction above 0 and at most 1", f"{run['regime']:g}")
        if run.get("tolerance") is None or not 0 <= run["tolerance"] <= 1:
            raise RefusedError("the relative tolerance of every regime", f"{run.get('tolerance')}: pass --tolerance")
        return [(run["regime"], run["tolerance"])]
    fraction = run["flops"] / run["original_flops"]
    inside: list[tuple[float | None, float]] = [
        band for band in bands if abs(fraction - band[0]) <= band[0] * band[1] * (1 + _BAND_ROUNDING)
    ]
    if not inside:
        raise RefusedError("FLOPs inside one of the regimes", f"{fraction:.4g} of the original's")
    return inside


def _checked(run: Run, selects_by_test: bool) -> Run:
    if selects_by_test:
        for name in ("error", "loss", "metric"):
            run.setdefault(f"val_{name}", run.get(f"test_{name}"))
    if run["state"] not in ("done", "failed"):
        raise RefusedError("state 'done' or 'failed'", short(run["state"]))
    _check_metric(run)
    if run["state"] == "done" and run.get("failure") is not None:
        raise RefusedError("no failure of a completed run", short(run["failure"]))
    if run["state"] == "failed" and not run.get("failure"):
        raise RefusedError("the reason of every failed run", "none")
    for name in ("val_loss", "test_loss", "train_loss", "wall_s", "epochs", *OPTIONAL_METRICS):
        if run.get(name) is not None and not 0 <= run[name] <= _LARGEST_METRIC:
            raise RefusedError(f"{name} of 0 or more", f"{run[name]:g}")
    return run


def _check_metric(run: Run) -> None:
    """Refuse a completed run without its study's metric; gather its metrics by split."""
    metric = run.get("metric")
    if metric is None and run.get("val_metric") is not None:
        raise RefusedError("the study's metric beside val_metric", "none")
    column, words = ("val_error", "an error") if metric is None else ("val_metric", metric["name"])
    if run["state"] == "done" and run.get(column) is None:
        raise RefusedError(f"{words} for every completed run", "none")
    if metric is not None and run.get("metrics") is None:
        values = {"validation": run.get("val_metric"), "test": run.get("test_metric")}
        found = {split: {metric["name"]: value} for split, value in values.items() if value is not None}
        run["metrics"] = found or None
