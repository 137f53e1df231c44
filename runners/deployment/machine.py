"""The machine on which latency is measured: its processor, and whether other work shares it."""

from __future__ import annotations

import os
import platform
from pathlib import Path

import torch

from prunestats.errors import InputError

_SPARE = 0.5
"""Other work, in cores, that is not worth a note: daemons, and what is left in an average of the minute before."""


def device_name(device: torch.device) -> str:
    """Name of the GPU, or of the processor where the system tells it."""
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(named), "") or platform.processor() or platform.machine()


def load_note(load: float | None = None, cores: int | None = None) -> str | None:
    """Note on other work of this machine, None where it is idle or the system does not tell.

    Parameters
    ----------
    load : float, optional
        Mean number of processes that ran or waited in the last minute; by default the system's.
    cores : int, optional
        By default the system's.

    Examples
    --------
    >>> load_note(0.2, 8) is None
    True
    >>> load_note(7.5, 8)[:61]
    'other work ran here in the last minute (load 7.5 on 8 cores):'
    """
    if load is None:
        if not hasattr(os, "getloadavg"):
            return None
        load = os.getloadavg()[0]
    if load <= _SPARE:
        return None
    return (
        f"other work ran here in the last minute (load {load:.1f} on {cores or os.cpu_count()} cores): milliseconds "
        "may be too long; speed-ups suffer less, as dense and pruned networks are timed in turn. On an idle machine, "
        "--again measures once more"
    )


def measuring_device(runtime: str, device: str | None) -> torch.device:
    """The device on which a runtime computes: the given one, else a GPU where there is one.

    Raises
    ------
    InputError
        For a device that is not there; a function of the user's own may name any, and gets its network on the CPU.
    """
    if ":" in runtime:
        return torch.device("cpu")
    if device not in (None, "cpu", "cuda"):
        raise InputError(f"device must be cpu or cuda; found {device!r}: other names are for a runtime of your own")
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("expected a GPU for device cuda; found none that PyTorch can use: name the device cpu")
    return torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
