"""Folders of images in ImageNet's layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from prunestats.errors import InputError
from prunestats.runners.data.decoded_images import (
    BATCH,
    DecodedImages,
    Encoded,
    Form,
    Source,
    cache_key,
    decoded_images,
)

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}

_Files = list[tuple[Path, int]]


def read_images(folder: Path, size: int, resize: int) -> DecodedImages:
    """Decode a folder of images, or map the file of an earlier decoding.

    Parameters
    ----------
    folder : Path
        Holds ``train/CLASS/*`` and ``val/CLASS/*``. Labels number the classes in the order of their names.
    size, resize : int
        Side of the central crop, and length of the shorter side before cropping, in pixels.

    Returns
    -------
    DecodedImages

    Raises
    ------
    InputError
        If the layout is another, an image cannot be decoded, Pillow is not installed, or the disk is too full.

    Notes
    -----
    Decoded images are cached under a hash of the names, sizes and modification times of all files: a folder that
    changes is decoded again.
    """
    classes = _classes(folder / "train")
    files = {split: list(_files(folder / split, classes)) for split in ("train", "val")}
    named = ((str(path.relative_to(folder)), label, path) for split in files.values() for path, label in split)

    def encoded() -> tuple[Form, Mapping[str, Encoded]]:
        splits = {split: Encoded(_labels(entries), _batches(entries)) for split, entries in files.items()}
        return Form(3, size, size, resize), splits

    return decoded_images(cache_key((size, resize), named), encoded)


def _labels(entries: _Files) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array([label for _, label in entries], dtype=np.int64)


def _batches(entries: _Files) -> Iterator[list[Source]]:
    for start in range(0, len(entries), BATCH):
        yield [Source(str(path), path) for path, _ in entries[start : start + BATCH]]


def _classes(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise InputError(f"data.folder: expected train/CLASS/*.jpg and val/CLASS/*.jpg; found no {folder}")
    classes = sorted(path.name for path in folder.iterdir() if path.is_dir())
    if not classes:
        raise InputError(f"data.folder: expected a folder for each class in {folder}; found none")
    return classes


def _files(folder: Path, classes: list[str]) -> Iterator[tuple[Path, int]]:
    """Paths of the images and their labels, in the order of names."""
    for name in _classes(folder):
        if name not in classes:
            raise InputError(
                f"data.folder: class {name!r} of {folder.name} is not among the classes of train: rename or remove it"
            )
        images = sorted(path for path in (folder / name).iterdir() if not path.name.startswith("."))
        if not images:
            raise InputError(f"data.folder: class {name!r} of {folder.name} must hold images; found none")
        for path in images:
            if path.suffix.lower() not in _SUFFIXES:
                raise InputError(f"data.folder: expected images ({', '.join(sorted(_SUFFIXES))}); found {path}")
            yield path, classes.index(name)
