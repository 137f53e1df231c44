"""Folders of images in ImageNet's layout, decoded once into a file of bytes that every process memory-maps.

Mapped pages are shared by all processes of a machine and are dropped when memory is needed for something else, so a
data set may be larger than memory.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.runners.data.pixel_moments import moments

_SUFFIXES = {".jpg", ".jpeg", ".png", ".bmp", ".ppm", ".pgm", ".tif", ".tiff", ".webp"}

# Images decoded at once: many enough to keep all threads busy, few enough to be held in memory (39 MB at 224 pixels).
_BATCH = 256


@dataclass(frozen=True)
class DecodedImages:
    """Decoded images of a folder, with their labels.

    Parameters
    ----------
    arrays : tuple of ndarray
        Images (n, 3, size, size) of uint8 and labels (n,) of the training split, then of the test split.
    moments : tuple of ndarray of int64, shapes (n, 3)
        Sums of the pixels and of their squares in each training image.
    content : bytes
        Hash of all arrays.
    """

    arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]
    moments: tuple[NDArray[np.int64], NDArray[np.int64]]
    content: bytes


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
    Decoded images are cached in ``$XDG_CACHE_HOME/prunestats`` (by default ``~/.cache/prunestats``) under a hash of
    the names, sizes and modification times of all files: a folder that changes is decoded again.
    """
    if size > resize:
        raise InputError(f"data.resize must be at least data.image_size; found {resize} and {size}")
    classes = _classes(folder / "train")
    files = {split: list(_files(folder / split, classes)) for split in ("train", "val")}
    cached = _cache_folder() / _key(folder, files, size, resize)
    if not cached.is_dir():
        _decode_into(cached, files, size, resize)
    with np.load(cached / "rest.npz", allow_pickle=False) as rest:
        return DecodedImages(
            (
                np.load(cached / "train.npy", mmap_mode="c"),
                rest["train_labels"],
                np.load(cached / "val.npy", mmap_mode="c"),
                rest["val_labels"],
            ),
            (rest["train_sums"], rest["train_squares"]),
            rest["content"].tobytes(),
        )


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


def _key(folder: Path, files: dict[str, list[tuple[Path, int]]], size: int, resize: int) -> str:
    digest = hashlib.sha256(repr((size, resize)).encode())
    for path, label in (entry for split in files.values() for entry in split):
        stat = path.stat()
        digest.update(repr((str(path.relative_to(folder)), label, stat.st_size, stat.st_mtime_ns)).encode())
    # 128 bits: file names stay short, and two folders never share a key
    return digest.hexdigest()[:32]


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prunestats"


def _decode_into(target: Path, files: dict[str, list[tuple[Path, int]]], size: int, resize: int) -> None:
    """Write a folder of decoded images in one step: under a temporary name that is changed when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    needed = sum(map(len, files.values())) * 3 * size * size
    if needed > (free := shutil.disk_usage(target.parent).free):
        raise InputError(
            f"decoded images need {needed / 1e9:.1f} GB in {target.parent}, which has {free / 1e9:.1f} GB left: set "
            "XDG_CACHE_HOME to a larger disk, or data.image_size smaller"
        )
    partial = target.with_suffix(f".{os.getpid()}.partial")
    partial.mkdir()
    try:
        rest: dict[str, NDArray[Any]] = {}
        digest = hashlib.sha256()
        for split, entries in files.items():
            decoded = _decode([path for path, _ in entries], partial / f"{split}.npy", size, resize, digest)
            rest |= {f"{split}_sums": decoded[0], f"{split}_squares": decoded[1]}
            rest[f"{split}_labels"] = np.array([label for _, label in entries], dtype=np.int64)
            digest.update(rest[f"{split}_labels"].tobytes())
        rest["content"] = np.frombuffer(digest.digest(), np.uint8)
        np.savez(partial / "rest.npz", allow_pickle=False, **rest)
        if not target.is_dir():
            partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _decode(
    paths: list[Path], target: Path, size: int, resize: int, digest: Any
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Decode images into a file, update a digest with them, and return their sums and sums of squares."""
    images = np.lib.format.open_memmap(target, "w+", np.uint8, (len(paths), 3, size, size))
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    with ThreadPoolExecutor() as threads:
        for start in range(0, len(paths), _BATCH):
            batch = np.stack(list(threads.map(lambda path: _square(path, size, resize), paths[start : start + _BATCH])))
            images[start : start + _BATCH] = batch
            digest.update(batch.tobytes())
            found.append(moments(batch))
    images.flush()
    sums, squares = zip(*found, strict=True)
    return np.concatenate(sums), np.concatenate(squares)


def _square(path: Path, size: int, resize: int) -> NDArray[np.uint8]:
    """Central crop of an image after resizing its shorter side, shape (3, size, size)."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise InputError("data.name 'images' needs Pillow: pip install 'prunestats[images]'") from error
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"data.folder: {path} cannot be decoded as an image ({error})") from error
    scale = resize / min(image.size)
    width, height = (max(resize, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    resized = image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
    return np.asarray(resized, dtype=np.uint8).transpose(2, 0, 1)
