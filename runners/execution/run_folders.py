"""Folders of runs: what a training leaves for its own continuation, beside the database while it is not stored."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from prunestats.runners.training.checkpoint import TrainingCheckpoint

_CHECKPOINT = "checkpoint.pt"


@dataclass(frozen=True)
class RunFolders:
    """Where a worker finds what an interrupted training has left, and how often it leaves it.

    Parameters
    ----------
    root : str or None
        Folder that holds the folder of each run, as an absolute path; None where workers and the parent process share
        no file system, or where nothing is to be left.
    checkpoint_every_s : float
        Seconds of a training after which it writes its state at the end of an epoch.
    """

    root: str | None = None
    checkpoint_every_s: float = 600.0

    def checkpoint(self, name: str) -> TrainingCheckpoint:
        """The checkpoint of a run or an original; nothing is written before it is due."""
        file = None if self.root is None else Path(self.root) / name / _CHECKPOINT
        return TrainingCheckpoint(file, self.checkpoint_every_s, name)

    @contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """The folder of a run, with what the run left in it before it was interrupted; it exists in the ``with`` block.

        Without a shared file system it is temporary. The parent process deletes it once the run is stored
        (`remove_folder`).
        """
        if self.root is None:
            with tempfile.TemporaryDirectory(prefix="prunestats-run-") as temporary:
                yield Path(temporary)
            return
        folder = Path(self.root) / name
        folder.mkdir(parents=True, exist_ok=True)
        yield folder


def run_name(subnetwork: str, protocol: str, seed: int) -> str:
    """Name of the folder of a run: keys of its subnetwork and of its protocol, and its training seed.

    Examples
    --------
    >>> run_name("3f9c", "a01b", 0)
    '3f9c-a01b-0'
    """
    return f"{subnetwork}-{protocol}-{seed}"


def original_name(key: str) -> str:
    """Name of the folder of an original while it is trained."""
    return f"original-{key}"


def remove_folder(root: Path, name: str) -> None:
    """Delete the folder of a run that is stored; none is no error."""
    folder = root / name
    if folder.exists():
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def marked(root: Path) -> Iterator[tuple[str, str]]:
    """Write a random word to a file in the root, and yield file and word, for a worker to tell whether it sees them."""
    word = secrets.token_hex(8)
    root.mkdir(parents=True, exist_ok=True)
    file = root / f".seen-{word}"
    file.write_text(word, encoding="utf-8")
    try:
        yield str(file), word
    finally:
        file.unlink(missing_ok=True)
        with suppress(OSError):
            root.rmdir()  # where it was made for this alone


def sees(file: str, word: str) -> bool:
    """Whether this process sees a file with this word."""
    try:
        return Path(file).read_text(encoding="utf-8") == word
    except OSError:
        return False
