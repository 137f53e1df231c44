"""Stored latencies of a study, and the one setting that a budget of latency speaks of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, Select, select

from prunestats.db.connection.engine import read
from prunestats.db.reading.results import Source
from prunestats.db.reading.study_record import find_study
from prunestats.db.schema import tables as t
from prunestats.db.schema.opening import read_only_engine
from prunestats.errors import InputError
from prunestats.wording import counted

SETTING = ("runtime", "device", "precision", "batch", "threads")
"""Columns on which a latency depends, besides the subnetwork."""

_MEASURED = ("ms", "ms_low", "ms_high", "dense_ms", "repeats")

_SHOWN = 8
"""Settings that a message lists, so that it stays readable."""


@dataclass(frozen=True)
class LatencySetting:
    """A setting in which latencies are measured; None stands for any.

    Parameters
    ----------
    runtime : str or None
        ``"eager"``, ``"compile"``, ``"onnx"``, or ``"module:function"``.
    batch : int or None
        Images in a batch.
    device : str or None
        Name of the processor, GPU or board, or a part of it.
    precision : str or None
    threads : int or None
    """

    runtime: str | None = None
    batch: int | None = None
    device: str | None = None
    precision: str | None = None
    threads: int | None = None

    @property
    def is_given(self) -> bool:
        """Whether it restricts anything."""
        return self != LatencySetting()

    @property
    def words(self) -> str:
        """The setting in words.

        Examples
        --------
        >>> LatencySetting("onnx", 1, "AMD EPYC", "float32", 1).words
        'onnx, float32, batch of 1, 1 thread, AMD EPYC'
        """
        parts = [self.runtime, self.precision]
        parts.append(None if self.batch is None else f"batch of {self.batch}")
        parts.append(None if self.threads is None else counted(self.threads, "thread"))
        return ", ".join(part for part in (*parts, self.device) if part is not None)

    def holds(self, latencies: pd.DataFrame) -> pd.Series[bool]:
        """Whether each latency was measured in this setting; a device is named by any part of its name."""
        mask = pd.Series(True, index=latencies.index)
        for name in ("runtime", "batch", "precision", "threads"):
            wanted = getattr(self, name)
            if wanted is not None:
                mask &= latencies[name] == wanted
        if self.device is not None:
            names, part = latencies["device"].astype(str).str.lower(), self.device.lower()
            same = names == part
            mask &= same if same.any() else names.str.contains(part, regex=False)
        return mask


def load_latencies(source: Source, *, study: str | None = None) -> pd.DataFrame:
    """Load the latencies that `prunestats latency` stored for the subnetworks of a study.

    Parameters
    ----------
    source : Engine, str or Path
        The results database, which is only read.
    study : str, optional
        Name of the study; by default the only one that neither refines another nor is a round of a search.

    Returns
    -------
    pandas.DataFrame
        One row a subnetwork and setting: original and subnetwork (keys), flops, params, original_flops; runtime,
        device, precision, batch, threads; ms, ms_low and ms_high (median and quartiles of the milliseconds of a batch),
        dense_ms (median of the dense network, measured in turn with it), repeats; and speedup, dense_ms / ms.

    Raises
    ------
    InputError
        If the study does not exist, or is not named although there are several.
    DatabaseError
        If the database cannot be read.

    Examples
    --------
    >>> found = load_latencies("results.db")     # doctest: +SKIP
    >>> found.groupby("runtime")["speedup"].median()     # doctest: +SKIP
    """
    engine = source if isinstance(source, Engine) else read_only_engine(source)
    try:
        with read(engine) as connection:
            return stored_latencies(connection, [str(find_study(connection, study)["name"])])
    finally:
        if engine is not source:
            engine.dispose()


def stored_latencies(connection: Connection, studies: Sequence[str]) -> pd.DataFrame:
    """Latencies of the subnetworks of some studies, each once; columns as `load_latencies` has them."""
    subnetwork, original, latency = t.subnetwork.c, t.original.c, t.latency.c
    columns = [
        *(original.key.label("original"), subnetwork.key.label("subnetwork"), subnetwork.flops, subnetwork.params),
        *(original.flops.label("original_flops"), *(latency[name] for name in (*SETTING, *_MEASURED))),
    ]
    query = (
        select(*columns)
        .select_from(t.latency.join(t.subnetwork).join(t.original, original.id == subnetwork.original_id))
        .where(latency.subnetwork_id.in_(_drawn(studies)))
        .order_by(*(latency[name] for name in SETTING), original.key, subnetwork.flops, subnetwork.key)
    )
    rows = [tuple(row) for row in connection.execute(query)]
    frame = pd.DataFrame(rows, columns=[column.name for column in columns])
    times = frame[["ms", "dense_ms"]].astype(float)
    return frame.assign(**times, speedup=times["dense_ms"] / times["ms"])


def trained_subnetworks(connection: Connection, study: str, studies: Sequence[str]) -> pd.DataFrame:
    """Subnetworks of some studies that were trained here, with what their dense networks are built from.

    Parameters
    ----------
    connection : Connection
        From `read`.
    study : str
        The study whose text describes the originals.
    studies : sequence of str
        It, and those that refine it.

    Returns
    -------
    pandas.DataFrame
        One row a subnetwork: subnetwork_id, subnetwork, widths, original, network, original_seed, weights_sha256,
        fingerprint, study, study_text.
    """
    s, o = t.subnetwork.c, t.original.c
    query = (
        select(s.id, s.key, s.widths, o.key, o.network, o.seed, o.weights_sha256, o.fingerprint)
        .join(t.original, o.id == s.original_id)
        .where(s.id.in_(_drawn(studies)), s.widths.is_not(None), o.weights_sha256.is_not(None))
        .order_by(o.key, s.key)
    )
    text = connection.scalar(select(t.study.c.text).where(t.study.c.name == study))
    rows = [(*row, study, text) for row in connection.execute(query)]
    return pd.DataFrame(rows, columns=list(_TRAINED), dtype=object)


def _drawn(studies: Sequence[str]) -> Select[Any]:
    """Row numbers of the subnetworks of some studies."""
    joined = t.draw.join(t.population).join(t.study)
    return select(t.draw.c.subnetwork_id).select_from(joined).where(t.study.c.name.in_(studies))


_TRAINED = (
    *("subnetwork_id", "subnetwork", "widths", "original", "network", "original_seed", "weights_sha256"),
    *("fingerprint", "study", "study_text"),
)


def one_setting(latencies: pd.DataFrame, wanted: LatencySetting) -> tuple[LatencySetting, pd.DataFrame]:
    """The only setting of the stored latencies that is wanted, and its latencies.

    Raises
    ------
    InputError
        If none or several are; the message lists what is stored, and names the options that choose.
    """
    stored = latencies[list(SETTING)].drop_duplicates()
    found = stored[wanted.holds(stored)]
    if len(found) == 1:
        setting = _setting(found.iloc[0])
        return setting, latencies[setting.holds(latencies)]
    what = f"of {wanted.words}" if wanted.is_given else "in one setting"
    several = f"{len(found)} settings" if len(found) else "none"
    differing = [f"--{name}" for name in SETTING if len(found[name].unique()) > 1]
    choose = f": choose with {', '.join(differing)}" if differing else ": name one of these, or measure it"
    raise InputError(f"expected latencies {what}; found {several}, stored are {_listed(found, stored)}{choose}")


def _setting(row: Any) -> LatencySetting:
    return LatencySetting(row["runtime"], int(row["batch"]), row["device"], row["precision"], int(row["threads"]))


def _listed(found: pd.DataFrame, stored: pd.DataFrame) -> str:
    every = found if len(found) else stored
    shown = [f"({_setting(row).words})" for _, row in every.head(_SHOWN).iterrows()]
    more = f" and {len(every) - _SHOWN} more" if len(every) > _SHOWN else ""
    return ", ".join(shown) + more
