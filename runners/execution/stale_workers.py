"""Workers that imported a user's network before its file was changed, as on a cluster that keeps running."""

from __future__ import annotations

import socket

from prunestats.errors import PrunestatsError
from prunestats.runners.data.datasets import Data
from prunestats.runners.networks.builtin import build_network, is_own
from prunestats.runners.networks.fingerprint import KEY_PLACES, Fingerprint, fingerprint
from prunestats.runners.study.file import content_key


class StaleWorkerError(PrunestatsError):
    """A worker that builds another network than the study was planned with."""


def probe_of(name: str, flops: int, found: Fingerprint) -> tuple[int, str] | None:
    """FLOPs of one image, and hash of what a network must compute on a worker.

    None for networks that are not the user's own, and in float32, whose rounding differs between machines.
    """
    if not is_own(name) or found.precision != "float64":
        return None
    return flops, content_key(found.rounded(KEY_PLACES))


def refuse_another_network(name: str, probe: tuple[int, str] | None, data: Data) -> None:
    """Refuse to compute where this process builds another network than `probe` was taken of.

    Raises
    ------
    StaleWorkerError
    """
    if probe is None:
        return
    network = build_network(name, num_classes=data.num_classes, seed=0)
    found = fingerprint(name, network, tuple(data.example_input.shape[1:]), probe[0])
    if probe_of(name, probe[0], found) != probe:
        raise StaleWorkerError(
            f"expected the worker on {socket.gethostname()} to build network {name!r} as this process does; found that "
            "it computes something else: was its file changed since the worker imported it? Restart the workers"
        )
