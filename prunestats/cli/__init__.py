"""The command line: the one package that may import all others."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Annotated, NoReturn

import typer

from prunestats import __version__
from prunestats.cli import (
    database,
    export_subnetwork,
    import_export,
    optima,
    refinement,
    report,
    search,
    sql,
    statistics,
    studies,
    transfer,
)
from prunestats.cli.options import app
from prunestats.cli.terminal import complain, leave_progress, say
from prunestats.errors import InputError, PrunestatsError

__all__ = ["app", "main"]

# Importing a module registers its commands; `options.PANELS` has their order.
COMMANDS = (
    database,
    export_subnetwork,
    import_export,
    optima,
    refinement,
    report,
    search,
    sql,
    statistics,
    studies,
    transfer,
)

# Seconds that an interrupted command may take to close its workers, before it leaves them to end by themselves: a round
# number, long enough for idle workers and short enough that Ctrl-C seems to work at once.
_PATIENCE_S = 2.0


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error, too.")] = False,
) -> None:
    context.obj = {"debug": debug}
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
    """Unwind in order, with a time limit: Dask would wait for workers that start or are in the middle of a run."""
    timer = threading.Timer(_PATIENCE_S, _stop)
    timer.daemon = True
    timer.start()
    raise KeyboardInterrupt


def _stop() -> NoReturn:
    """Say that all is well and go: what is stored is stored whole, and workers end with their parent."""
    sys.stdout.flush()
    leave_progress()
    complain("every run that had ended is stored; the same command goes on from there", "stopped")
    os._exit(130)


def _leave(code: int) -> NoReturn:
    sys.exit(code)
