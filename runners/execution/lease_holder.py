"""The holder of a lease: this thread of this process, and whether another one is still there."""

from __future__ import annotations

import os
import socket
import threading

import psutil


def this_process() -> str:
    """What identifies this thread of this process on this machine: its number, its start and the thread."""
    return f"{os.getpid()} {_start(os.getpid()):.2f} {threading.get_ident()}"


def is_gone(host: str, process: str) -> bool:
    """Whether a process of this machine has ended; of another machine's nothing is known.

    The number of a process may be given to another one later, whose start differs.
    """
    if host != socket.gethostname():
        return False
    number, start, _ = process.split(" ")
    return f"{_start(int(number)):.2f}" != start


def _start(number: int) -> float:
    try:
        return float(psutil.Process(number).create_time())
    except psutil.NoSuchProcess:
        return -1.0
