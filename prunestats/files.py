"""Files that are whole or not there: a reader, or a process that dies, never sees half of one."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A temporary file beside `path`, which replaces it when the block ends without an error.

    Parameters
    ----------
    path : Path
        Its folder must exist.

    Yields
    ------
    Path
        Where to write.

    Examples
    --------
    >>> folder = Path(tempfile.mkdtemp())
    >>> with atomic_file(folder / "widths.txt") as temporary:
    ...     characters = temporary.write_text("16 32")
    >>> [file.read_text() for file in folder.iterdir()]
    ['16 32']
    """
    # a name may have 255 bytes
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}-")
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        # mkstemp gives the owner alone access
        temporary.chmod(0o644)
        with temporary.open("rb+") as stream:
            # without it a power failure could leave the new name on content that never reached the disk
            os.fsync(stream.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write or replace a file in one step; its folder is made where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path) as temporary:
        temporary.write_bytes(content)
