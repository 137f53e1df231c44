"""IDX files, the format of MNIST, Fashion-MNIST and EMNIST, gzipped or not."""

from __future__ import annotations

import gzip
import re
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError

Bytes = NDArray[np.uint8]

# train-images-idx3-ubyte.gz, t10k-labels.idx1-ubyte, emnist-balanced-test-images-idx3-ubyte.gz
_NAME = re.compile(r"(?P<prefix>.*?)(?P<split>train|t10k|test)-(?P<kind>images|labels)[-.]idx[13]-ubyte(?:\.gz)?")

# The third byte of the format: unsigned bytes.
_UNSIGNED = 8

# The classes of EMNIST Letters, A to Z, whose labels begin with 1.
_LETTERS = 26


def read_idx(place: Path) -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Images and labels of the training files, then of the test files.

    Parameters
    ----------
    place : Path
        The folder of the files, or that of the training images, where a folder holds several sets.

    Returns
    -------
    tuple of ndarray of uint8
        Images have shape (n, 1, height, width), labels (n,).

    Raises
    ------
    InputError
        If a file is missing or not in the published format.

    Notes
    -----
    EMNIST's files, whose names begin with ``emnist``, store images with rows and columns exchanged, which is undone.
    The labels of EMNIST Letters, 1 to 26, become 0 to 25.

    References
    ----------
    .. [1] LeCun, Cortes and Burges (1998). The MNIST database of handwritten digits.
    .. [2] Cohen, Afshar, Tapson and van Schaik (2017). EMNIST: extending MNIST to handwritten letters. IJCNN.
    """
    prefix, files = _files(place)
    parts = []
    for split in ("train", "test"):
        images, labels = _array(files[split, "images"], 3), _array(files[split, "labels"], 1)
        if len(images) != len(labels):
            raise InputError(
                f"{files[split, 'labels'].name} must hold one label an image; found {len(labels)} labels and "
                f"{len(images)} images"
            )
        if prefix.startswith("emnist"):
            images = np.ascontiguousarray(images.transpose(0, 2, 1))
        if prefix == "emnist-letters-" and len(labels) and labels.min() == 1 and labels.max() <= _LETTERS:
            labels = labels - np.uint8(1)
        parts += [images[:, None], labels]
    return parts[0], parts[1], parts[2], parts[3]


def is_idx(path: Path) -> bool:
    """Whether a file has the name of an IDX file."""
    return _NAME.fullmatch(path.name) is not None


def idx_prefixes(folder: Path) -> list[str]:
    """What the names of a folder's IDX files begin with, once for each set: empty for those of MNIST."""
    return sorted({found["prefix"] for path in folder.iterdir() if (found := _NAME.fullmatch(path.name))})


def _files(place: Path) -> tuple[str, dict[tuple[str, str], Path]]:
    """The prefix of a set, and its files by split and kind; of a file and the same gzipped, the unzipped one."""
    folder = place if place.is_dir() else place.parent
    chosen = _NAME.fullmatch(place.name) if place.is_file() else None
    prefixes = [chosen["prefix"]] if chosen else idx_prefixes(folder)
    if len(prefixes) != 1:
        raise InputError(f"data.folder: expected {_EXPECTED}; {_found(place, prefixes)}")
    files: dict[tuple[str, str], Path] = {}
    for path in sorted(folder.iterdir(), reverse=True):  # .gz first, so that an unzipped file takes its place
        name = _NAME.fullmatch(path.name)
        if name and name["prefix"] == prefixes[0]:
            files["train" if name["split"] == "train" else "test", name["kind"]] = path
    for split in ("train", "test"):
        for kind in ("images", "labels"):
            if (split, kind) not in files:
                raise InputError(f"data.folder: expected {_EXPECTED}; found no {split} {kind} in {folder}")
    return prefixes[0], files


_EXPECTED = "train-images-idx3-ubyte, train-labels-idx1-ubyte and the two of t10k or test, gzipped or not"


def _found(place: Path, prefixes: list[str]) -> str:
    if len(prefixes) > 1:
        first = f"{prefixes[0]}train-images-idx3-ubyte.gz"
        sets = ", ".join(prefix.rstrip("-") or "one without prefix" for prefix in prefixes)
        return f"found several sets ({sets}): name the training images of one, as folder = '.../{first}'"
    if place.is_file():
        return f"found the file {place.name}"
    below = next((path.parent for path in sorted(place.rglob("*-images*")) if _NAME.fullmatch(path.name)), None)
    return f"found none in {place}" + (f", but in {below}: name that folder" if below else "")


def _array(path: Path, dimensions: int) -> Bytes:
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise InputError(f"{path.name} cannot be read ({error}): is it complete?") from error
    begins = 4 * (1 + dimensions)
    if len(content) < begins or content[:4] != bytes((0, 0, _UNSIGNED, dimensions)):
        raise InputError(
            f"{path.name} must begin with the bytes 0 0 {_UNSIGNED} {dimensions} of IDX (unsigned bytes, {dimensions} "
            f"dimensions); found {' '.join(map(str, content[:4])) or 'an empty file'}"
        )
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", dimensions, offset=4))
    if len(content) - begins != int(np.prod(shape, dtype=np.int64)):
        raise InputError(
            f"{path.name} must hold {' x '.join(map(str, shape))} bytes; found {len(content) - begins}: is it complete?"
        )
    # a copy, which may be written to, as tensors are
    return np.frombuffer(content, np.uint8, offset=begins).reshape(shape).copy()
