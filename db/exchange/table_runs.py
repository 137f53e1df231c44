"""Parsing of an external table: runs as the database stores them, and refused rows with their reasons."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from prunestats.db.exchange.cell_values import converters, parse_widths, seed_values
from prunestats.db.exchange.column_roles import SEEDED, Meaning
from prunestats.db.exchange.plausible_units import RUN_KEY, Costs, check_fraction, check_fractions
from prunestats.db.exchange.refused_rows import Refusal, RefusedError, Run
from prunestats.db.schema.tables import OPTIONAL_METRICS
from prunestats.db.storing.insert_once import content_hash, short
from prunestats.db.storing.records import RESULT

_MEMBER_RUN = ("study", "space", "regime", *RUN_KEY)
_KEY_LENGTH = 500
"""Characters of a key: an index entry of PostgreSQL holds at most 2,700 bytes; the tables check the same length."""

_LARGEST_METRIC = 1e300
"""Losses, seconds and latencies above it are refused as infinite, as the checks of the tables do."""

_BAND_ROUNDING = 1e-9
"""Relative slack at the edge of a band: many times the rounding error of a quotient, far below one FLOP."""

_ORIGINAL = ("network", "dataset", "original_seed", "original_flops", "original_params")


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
            _identify(shared)
        except RefusedError as refused:
            refusals.append(Refusal(row, *refused.args))
            continue
        records.append((row, shared, metrics))
    costs = {**_largest_costs([shared for _, shared, _ in records]), **stored}
    for _, shared, _ in records:
        flops, params = costs[shared["original"]]
        shared.setdefault("original_flops", flops)
        shared.setdefault("original_params", params)
    # an export was checked when its runs were first stored
    plausible = not any_fraction and "planned" not in meaning.columns
    if plausible:
        check_fractions([(row, shared) for row, shared, _ in records], meaning, defaults, stored)
    consistency = _Consistency()
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
    single = {role: columns[0] for role, columns in meaning.columns.items() if role not in (*SEEDED, "widths")}
    seeded = {role: meaning.columns[role] for role in SEEDED if role in meaning.columns}
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


def _identify(shared: Run) -> None:
    """Refuse a record without cost or name; derive missing keys by hashing the content that they stand for."""
    for name in ("flops", "params"):
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


def _largest_costs(records: Sequence[Run]) -> dict[str, tuple[int, int]]:
    """Return the largest FLOPs and parameters among the subnetworks of each original: its default cost."""
    found: dict[str, tuple[int, int]] = {}
    for shared in records:
        flops, params = found.get(shared["original"], (0, 0))
        found[shared["original"]] = max(flops, shared["flops"]), max(params, shared["params"])
    return found


def _regimes(run: Run, bands: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    if run.get("regime") is not None:
        if not 0 < run["regime"] <= 1:
            raise RefusedError("regime as a fraction above 0 and at most 1", f"{run['regime']:g}")
        if run.get("tolerance") is None or not 0 <= run["tolerance"] <= 1:
            raise RefusedError("the relative tolerance of every regime", f"{run.get('tolerance')}: pass --tolerance")
        return [(run["regime"], run["tolerance"])]
    fraction = run["flops"] / run["original_flops"]
    inside = [band for band in bands if abs(fraction - band[0]) <= band[0] * band[1] * (1 + _BAND_ROUNDING)]
    if not inside:
        raise RefusedError("FLOPs inside one of the regimes", f"{fraction:.4g} of the original's")
    return inside


def _checked(run: Run, selects_by_test: bool) -> Run:
    if selects_by_test:
        for name in ("error", "loss"):
            run.setdefault(f"val_{name}", run.get(f"test_{name}"))
    if run["state"] not in ("done", "failed"):
        raise RefusedError("state 'done' or 'failed'", short(run["state"]))
    if run["state"] == "done" and run.get("val_error") is None:
        raise RefusedError("an error for every completed run", "none")
    if run["state"] == "done" and run.get("failure") is not None:
        raise RefusedError("no failure of a completed run", short(run["failure"]))
    if run["state"] == "failed" and not run.get("failure"):
        raise RefusedError("the reason of every failed run", "none")
    for name in ("val_loss", "test_loss", "train_loss", "wall_s", "epochs", *OPTIONAL_METRICS):
        if run.get(name) is not None and not 0 <= run[name] <= _LARGEST_METRIC:
            raise RefusedError(f"{name} of 0 or more", f"{run[name]:g}")
    return run


class _Consistency:
    """Consistency of the rows: one result per run, one cost per subnetwork, one description per original."""

    def __init__(self) -> None:
        self.row_of: dict[tuple[Any, ...], int] = {}
        self.known: dict[tuple[Any, ...], tuple[Any, ...]] = {}

    def check(self, copies: Sequence[Run]) -> None:
        """Refuse runs that repeat or contradict an earlier row."""
        for run in copies:
            original, subnetwork = (run["original"],), (run["original"], run["subnetwork"])
            self._same(
                original, [run.get(name) for name in _ORIGINAL], "one name, data set, seed and cost of an original"
            )
            self._same(subnetwork, [run["flops"], run["params"]], "one cost of every subnetwork")
            member = tuple(run[name] for name in _MEMBER_RUN)
            if member in self.row_of:
                raise RefusedError("each run once", f"that of row {self.row_of[member]} again")
            self.row_of[member] = run["row"]
            result = [run.get(name) for name in RESULT]
            self._same(tuple(run[name] for name in RUN_KEY), result, "one result of every run")

    def _same(self, key: tuple[Any, ...], value: list[Any], expected: str) -> None:
        if self.known.setdefault(key, tuple(value)) != tuple(value):
            raise RefusedError(expected, f"{short(value[:3])} after {short(list(self.known[key][:3]))}")
