"""Encoded images, decoded once into files of bytes that every process memory-maps.

Mapped pages are shared by all processes of a machine and are dropped when memory is needed for something else, so a
data set may be larger than memory.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.runners.data.pixel_moments import moments

# Images decoded at once: many enough to keep all threads busy, few enough to be held in memory (39 MB at 224 pixels).
BATCH = 256

_NO_PILLOW = "encoded images need Pillow, which is not installed: pip install 'prunestats[images]'"


class Source(NamedTuple):
    """An encoded image: its name in messages, and its file or content."""

    name: str
    content: Path | bytes


class Form(NamedTuple):
    """What images are decoded to: channels, height, width, and length of the shorter side before a central crop.

    With `resize` None, images are neither resized nor cropped.
    """

    channels: int
    height: int
    width: int
    resize: int | None


@dataclass(frozen=True)
class Encoded:
    """Encoded images of a split, in batches, with their labels."""

    labels: NDArray[np.int64]
    batches: Iterable[list[Source]]


@dataclass(frozen=True)
class DecodedImages:
    """Decoded images by split.

    Parameters
    ----------
    images : dict of str to ndarray of uint8, shape (n, channels, height, width)
    labels : dict of str to ndarray of int64, shape (n,)
    moments : tuple of ndarray of int64, shapes (n, channels)
        Sums of the pixels and of their squares in each training image.
    content : bytes
        Hash of all images and labels.
    """

    images: dict[str, NDArray[Any]]
    labels: dict[str, NDArray[Any]]
    moments: tuple[NDArray[np.int64], NDArray[np.int64]]
    content: bytes


def decoded_images(
    key: str, encoded: Callable[[], tuple[Form, Mapping[str, Encoded]]], *, mapped_from: int = 0
) -> DecodedImages:
    """Decode images, or open the files of an earlier decoding.

    Parameters
    ----------
    key : str
        Under which they are cached.
    encoded : callable
        Returns the form and the encoded images by split, of which one is "train"; not called where they are cached.
    mapped_from : int
        Bytes of all images from which they are mapped instead of read into memory.

    Raises
    ------
    InputError
        If an image cannot be decoded, Pillow is not installed, or the disk is too full.

    Notes
    -----
    The cache is ``$XDG_CACHE_HOME/prunestats``, by default ``~/.cache/prunestats``.
    """
    cached = _cache_folder() / key
    if not cached.is_dir():
        _decode_into(cached, *encoded())
    files = {path.stem: path for path in sorted(cached.glob("*.npy"))}
    mode: Any = "c" if sum(path.stat().st_size for path in files.values()) >= mapped_from else None
    with np.load(cached / "rest.npz", allow_pickle=False) as rest:
        return DecodedImages(
            {split: np.load(path, mmap_mode=mode) for split, path in files.items()},
            {split: rest[f"{split}_labels"] for split in files},
            (rest["train_sums"], rest["train_squares"]),
            rest["content"].tobytes(),
        )


def cache_key(form: Any, files: Iterable[tuple[str, Any, Path]]) -> str:
    """Hash of a form and of the names, labels, sizes and modification times of files."""
    digest = hashlib.sha256(repr(form).encode())
    for name, label, path in files:
        stat = path.stat()
        digest.update(repr((name, label, stat.st_size, stat.st_mtime_ns)).encode())
    # 128 bits: file names stay short, and two folders never share a key
    return digest.hexdigest()[:32]


def opened(source: Source) -> Any:
    """An image of Pillow, whose pixels are not decoded yet."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise InputError(_NO_PILLOW) from error
    name, content = source
    try:
        return Image.open(io.BytesIO(content) if isinstance(content, bytes) else content)
    except (OSError, ValueError, SyntaxError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise InputError(f"data.folder: {name} cannot be decoded as an image ({error})") from error


def _cache_folder() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "prunestats"


def _decode_into(target: Path, form: Form, splits: Mapping[str, Encoded]) -> None:
    """Write a folder of decoded images in one step: under a temporary name that is changed when it is complete."""
    target.parent.mkdir(parents=True, exist_ok=True)
    needed = sum(len(split.labels) for split in splits.values()) * form.channels * form.height * form.width
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
        for name, split in splits.items():
            sums, squares = _decode(split, partial / f"{name}.npy", form, digest)
            rest |= {f"{name}_sums": sums, f"{name}_squares": squares, f"{name}_labels": split.labels}
            digest.update(split.labels.tobytes())
        rest["content"] = np.frombuffer(digest.digest(), np.uint8)
        np.savez(partial / "rest.npz", allow_pickle=False, **rest)
        if not target.is_dir():
            partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _decode(split: Encoded, target: Path, form: Form, digest: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Decode images into a file, update a digest with them, and return their sums and sums of squares."""
    shape = (len(split.labels), form.channels, form.height, form.width)
    images = np.lib.format.open_memmap(target, "w+", np.uint8, shape)
    found: list[tuple[NDArray[np.int64], NDArray[np.int64]]] = []
    start = 0
    with ThreadPoolExecutor() as threads:
        for sources in split.batches:
            batch = np.stack(list(threads.map(lambda source: pixels(source, form), sources)))
            images[start : start + len(batch)] = batch
            start += len(batch)
            digest.update(batch.tobytes())
            found.append(moments(batch))
    images.flush()
    sums, squares = zip(*found, strict=True)
    return np.concatenate(sums), np.concatenate(squares)


def pixels(source: Source, form: Form) -> NDArray[np.uint8]:
    """Decoded pixels of an image, shape (channels, height, width).

    The shorter side is resized first, and the centre cropped, where the form says so.
    """
    encoded = opened(source)
    try:
        with encoded:
            image = encoded.convert("RGB" if form.channels > 1 else "L")
    except (OSError, ValueError, SyntaxError) as error:
        raise InputError(f"data.folder: {source.name} cannot be decoded as an image ({error})") from error
    if form.resize is not None:
        image = _central_crop(image, form.width, form.resize)
    array = np.asarray(image, dtype=np.uint8)
    return array[None] if form.channels == 1 else array.transpose(2, 0, 1)


def _central_crop(image: Any, size: int, resize: int) -> Any:
    from PIL import Image

    scale = resize / min(image.size)
    width, height = (max(resize, round(side * scale)) for side in image.size)
    left, top = (width - size) // 2, (height - size) // 2
    return image.resize((width, height), Image.Resampling.BILINEAR).crop((left, top, left + size, top + size))
