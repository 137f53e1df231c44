"""Finding the runs of one subnetwork by a prefix of its key."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Row, text

from prunestats.db.schema.types import Json
from prunestats.db.storing.kept_weights import weights_name
from prunestats.errors import InputError

_RUNS = """
SELECT
    res.subnetwork, res.original, res.seed, res.state, res.failure, res.protocol, res.protocol_key,
    res.flops, res.params, res.epochs, res.metric, res.direction, res.val_metric, res.test_metric,
    res.val_error, res.test_error, res.val_loss, res.test_loss, res.train_loss,
    st.name AS study, st.text AS study_text, s.id AS subnetwork_id, s.widths AS widths,
    o.weights_sha256 AS weights_sha256, o.network AS network, o.dataset AS dataset, o.seed AS original_seed,
    o.fingerprint AS fingerprint, pr.parameters AS parameters,
    e.host AS host, e.platform AS platform, e.versions AS versions, w.sha256 AS kept_sha256
FROM results res
JOIN study st ON st.name = res.study
JOIN subnetwork s ON s.id = res.subnetwork_id
JOIN original o ON o.key = res.original
JOIN protocol pr ON pr.id = res.protocol_id
JOIN run r ON r.subnetwork_id = s.id AND r.protocol_id = pr.id AND r.seed = res.seed
LEFT JOIN environment e ON e.id = r.environment_id
LEFT JOIN weights w ON w.run_id = r.id
WHERE substr(res.subnetwork, 1, :length) = :beginning
ORDER BY res.seed, st.id
"""


def kept_file(folder: Path, row: Any) -> Path | None:
    """Return the file of the kept weights of a row of `find_runs` in a folder; None without weights or file."""
    if row.kept_sha256 is None:
        return None
    file = folder / weights_name(row.subnetwork, row.protocol_key, row.seed, row.kept_sha256)
    return file if file.is_file() else None


def find_runs(connection: Connection, beginning: str) -> list[Row[Any]]:
    """Return the runs of the one subnetwork whose key begins with a prefix.

    Parameters
    ----------
    connection : Connection
        From `read`.
    beginning : str
        As many characters of the key as identify it.

    Returns
    -------
    list of Row
        Sorted by seed: key, cost and metrics as in the view `results`, with the text of the study, the widths, the
        parameters of the protocol, the original's network, data set, seed, fingerprint and hash of weights, and host,
        platform and versions where the run was executed, and the hash of its kept weights. A run of several studies
        comes once per study.

    Raises
    ------
    InputError
        If no subnetwork with runs has such a key, or several have.
    """
    query = text(_RUNS).columns(widths=Json, parameters=Json, fingerprint=Json, versions=Json)
    rows = list(connection.execute(query, {"length": len(beginning), "beginning": beginning}))
    keys = sorted({row.subnetwork for row in rows})
    if not beginning or not keys:
        raise InputError(
            f"expected the key of a subnetwork with runs; found none that begins with {beginning!r}: "
            '`prunestats sql "SELECT subnetwork, val_error FROM leaderboard"` lists them'
        )
    if len(keys) > 1:
        some = ", ".join(keys[:5]) + (", ..." if len(keys) > 5 else "")
        raise InputError(
            f"expected the key of one subnetwork; found {len(keys)} that begin with {beginning!r} ({some}): "
            "give more of its characters"
        )
    return rows
