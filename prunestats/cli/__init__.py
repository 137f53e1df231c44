"""The command line: the one package that may import all others."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from prunestats import __version__
from prunestats.cli import (
    begin,
    best,
    comparison,
    database,
    export_subnetwork,
    import_export,
    latency,
    optima,
    refinement,
    removal,
    report,
    search,
    sql,
    statistics,
    studies,
    transfer,
)
from prunestats.cli.options import app, on_import_path
from prunestats.cli.terminal import complain, leave_progress, say
from prunestats.errors import InputError, PrunestatsError

__all__ = ["app", "main"]

# Importing a module registers its commands; `options.PANELS` has their order.
COMMANDS = (
    begin,
    best,
    comparison,
    database,
    export_subnetwork,
    import_export,
    latency,
    optima,
    refinement,
    removal,
    report,
    search,
    sql,
    statistics,
    studies,
    transfer,
)

_PATIENCE_S = 2.0
"""Seconds that an interrupted command has to close its workers: enough for idle ones, and short for who pressed Ctrl-C.

Workers that are still busy end when they find that their parent has gone.
"""

_STORES_RUNS = ("demo", "run", "search")
"""Commands that store each run in its own transaction, and that resume where they were stopped."""

_STOPPING = threading.Lock()
"""Held by the first thread that stops the process, so that what was kept is printed once."""


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, too.")] = False,
) -> None:
    context.obj = {"debug": debug}
    with suppress(FileNotFoundError):  # the current folder may have been deleted
        on_import_path(Path.cwd())
    if version:
        say(f"prunestats {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        say(context.get_help())


def main() -> NoReturn:
    """Run the command line: an error is one line, with exit code 2 for wrong usage and 1 for a failure."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    # An interrupted command leaves its workers to the system; multiprocessing's resource tracker would warn of that.
    ignored = "ignore:resource_tracker:UserWarning"
    os.environ["PYTHONWARNINGS"] = ",".join(filter(None, [os.environ.get("PYTHONWARNINGS"), ignored]))
    debug = "--debug" in sys.argv
    try:
        # Not app(): it would turn Ctrl-C into an exit code before it is seen here.
        command = typer.main.get_command(app)
        with command.make_context("prunestats", sys.argv[1:]) as context:
            command.invoke(context)
    except KeyboardInterrupt:
        _stop()
    except PrunestatsError as error:
        if debug:
            raise
        complain(str(error))
        _leave(2 if isinstance(error, InputError) else 1)
    except typer.Exit as leaving:
        _leave(leaving.exit_code)
    except BrokenPipeError:
        _leave(0)
    except Exception as error:
        if debug or not hasattr(error, "format_message"):
            raise
        where = getattr(getattr(error, "ctx", None), "command_path", "prunestats")
        complain(f"{error.format_message().rstrip('.')} (`{where} --help` shows the usage)")
        _leave(2)
    _leave(0)


def _interrupt(number: int, frame: object) -> NoReturn:
    """Unwind, for at most `_PATIENCE_S`: Dask would wait for workers that are starting or in the middle of a run."""
    timer = threading.Timer(_PATIENCE_S, _stop)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _stop() -> NoReturn:
    """Say what was kept, and exit at once: transactions are rolled back, and workers end with their parent."""
    _STOPPING.acquire(timeout=_PATIENCE_S)
    sys.stdout.flush()
    leave_progress()
    complain(_kept(sys.argv[1:]), "stopped")
    os._exit(130)


def _kept(arguments: Sequence[str]) -> str:
    """Return what an interrupted command leaves behind.

    Examples
    --------
    >>> _kept(["--debug", "sql", "SELECT 1"])
    'the query was stopped and nothing was changed'
    >>> _kept(["export", "results.csv"])
    'nothing was left half-written'
    """
    # the options of `prunestats` itself take no value: the first word without a dash is the command
    command = next((argument for argument in arguments if not argument.startswith("-")), "")
    if command in _STORES_RUNS:
        return "every run that had ended is stored; the same command goes on from there"
    if command == "latency":
        return "every latency that was measured is stored; the same command goes on from there"
    return "the query was stopped and nothing was changed" if command == "sql" else "nothing was left half-written"


def _leave(code: int) -> NoReturn:
    sys.exit(code)
