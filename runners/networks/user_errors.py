"""Errors of a user's own network, with the line of the user's own file that raised them."""

from __future__ import annotations

import linecache
import re
import sys
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import Any

from torch import nn

from prunestats.errors import InputError, PrunestatsError

# Packages between a network's own lines, on the way down to the operation that fails.
_OURS = ("prunestats", "torch", "torch_pruning")

# Characters of a message and of a source line: an error stays readable as one line, and torch lists C++ stacks.
_LONGEST_MESSAGE, _LONGEST_LINE = 300, 100


@contextmanager
def locating(doing: str) -> Iterator[None]:
    """Turn an error of a user's code into one line with the place in the user's file.

    Parameters
    ----------
    doing : str
        Begins the message: what failed, such as ``"building the network"``.

    Raises
    ------
    InputError
        For an error raised below a line of a user's file, or below a layer of a network. Errors of this package keep
        their type and message, with the place added where the user's code caused them; others are not changed.
    """
    try:
        yield
    except PrunestatsError as error:
        place = where(error.__cause__) if error.__cause__ is not None else ""
        if not place or place in str(error):
            raise
        raise type(error)(f"{error} ({place})") from error
    except Exception as error:
        place = where(error)
        if not place:
            raise
        raise InputError(f"{doing} fails at {place}: {described(error)}") from error


def described(error: BaseException) -> str:
    """Type and message of an error in one line."""
    # torch's hint at anomaly detection is followed by the trial of an original
    message = " ".join(str(error).split()).partition(" Hint: ")[0]
    if isinstance(error, SyntaxError):
        message = error.msg or message
    short = message if len(message) <= _LONGEST_MESSAGE else f"{message[:_LONGEST_MESSAGE]}..."
    return f"{type(error).__name__}: {short}" if short else type(error).__name__


def where(error: BaseException) -> str:
    """Place of an error: file, line and source of the deepest line of a user, and the layer; empty if there is none."""
    if isinstance(error, SyntaxError) and error.filename:
        return _line(error.filename, error.lineno or 1)
    frames = list(_frames(error.__traceback__))
    users = [(frame.f_code.co_filename, line) for frame, line in frames if _is_users(frame)]
    layer = _layer([frame.f_locals.get("self") for frame, _ in frames])
    return ", ".join(filter(None, (_line(*users[-1]) if users else "", layer)))


def line_in(text: str) -> str:
    """Place of the deepest line of a user in the text of a traceback, as torch's anomaly detection prints it."""
    found = [
        (file, int(number))
        for file, number in re.findall(r'File "([^"]+)", line (\d+)', text)
        if not _is_installed(file) and not _is_ours(_module_of(file))
    ]
    return _line(*found[-1]) if found else ""


def _frames(traceback: TracebackType | None) -> Iterator[tuple[Any, int]]:
    while traceback is not None:
        yield traceback.tb_frame, traceback.tb_lineno
        traceback = traceback.tb_next


def _is_users(frame: Any) -> bool:
    return not _is_ours(frame.f_globals.get("__name__", "")) and not _is_installed(frame.f_code.co_filename)


def _is_ours(module: str) -> bool:
    return module.partition(".")[0] in _OURS


def _module_of(file: str) -> str:
    return next((name for name, module in sys.modules.items() if getattr(module, "__file__", None) == file), "")


@cache
def _is_installed(file: str) -> bool:
    """Whether a file is of the standard library, of an installed package, or no file at all."""
    path = Path(file)
    places = [Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    return not path.is_file() or any(path.is_relative_to(place) for place in places) or "site-packages" in path.parts


def _line(file: str, number: int) -> str:
    path = Path(file)
    shown = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    source = linecache.getline(file, number).strip()[:_LONGEST_LINE]
    return f"{shown}:{number}" + (f" `{source}`" if source else "")


def _layer(owners: list[Any]) -> str:
    """The deepest layer among the owners of the methods that were running, by its name in the outermost network."""
    networks = [owner for owner in owners if isinstance(owner, nn.Module)]
    if not networks or networks[-1] is networks[0]:
        return ""
    name = next((name for name, module in networks[0].named_modules() if module is networks[-1]), "")
    kind = " ".join(repr(networks[-1]).split()) if not list(networks[-1].children()) else type(networks[-1]).__name__
    return f"layer {name!r}, {kind[:_LONGEST_LINE]}" if name else ""
