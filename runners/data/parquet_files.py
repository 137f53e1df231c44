"""Parquet files of encoded images, in the layout of Hugging Face's datasets."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError
from prunestats.runners.data.decoded_images import (
    BATCH,
    DecodedImages,
    Encoded,
    Form,
    Source,
    cache_key,
    decoded_images,
    opened,
)

# Bytes of decoded images, half a gigabyte, up to which every process holds them in memory, where a batch is read faster
# and a GPU can hold them, too; more are mapped from the disk. Results do not depend on it.
_MAPPED_FROM = 2**29

# train.parquet, train-00000-of-00002.parquet, train/0000.parquet
_SPLITS = {
    split: re.compile(rf"(?:{names})(?:[-_./].*)?\.parquet")
    for split, names in (("train", "train"), ("validation", "validation|valid|val|dev"), ("test", "test"))
}

_EXPECTED = "expected train*.parquet and test*.parquet (or validation*.parquet)"

# Names that data sets give to the two columns, the most usual first.
_IMAGES = ("image", "img", "images", "picture", "jpg", "png")
_LABELS = ("label", "labels", "fine_label", "class", "target", "category", "cls", "y")


class Columns(NamedTuple):
    """Names of the columns of images and of labels."""

    image: str
    label: str


def read_parquet(folder: Path, size: int | None, resize: int | None) -> DecodedImages:
    """Decode the images of parquet files, or open the files of an earlier decoding.

    Parameters
    ----------
    folder : Path
        Holds ``train*.parquet``, ``test*.parquet``, ``validation*.parquet``, or has them in ``data/``. Without test
        files those of validation are the test split.
    size, resize : int or None
        Side of the central crop, and length of the shorter side before cropping, in pixels. None leaves images as they
        are, which must then be of one size.

    Returns
    -------
    DecodedImages
        Of "train", "test" and, where both are there, "validation". Images have one channel where all of them are grey,
        and else three.

    Raises
    ------
    InputError
        If files or columns are missing, labels are not whole numbers or names, an image cannot be decoded, or pyarrow
        or Pillow is not installed.

    Notes
    -----
    The column of images holds ``{bytes, path}`` or bytes; that of labels whole numbers, or names, which are numbered in
    their order in training.
    """
    files = parquet_files(folder)
    columns = find_columns(files["train"][0])
    form = ("parquet", columns, size, resize)
    named = ((path.name, split, path) for split, paths in files.items() for path in paths)

    def encoded() -> tuple[Form, Mapping[str, Encoded]]:
        labels = _labels(files, columns)
        splits = {split: Encoded(labels[split], _batches(paths, columns.image)) for split, paths in files.items()}
        return _form(files, columns.image, size, resize), splits

    return decoded_images(cache_key(form, named), encoded, mapped_from=_MAPPED_FROM)


def parquet_files(folder: Path) -> dict[str, list[Path]]:
    """Files of each split, in the order of their names; of "train" and "test", and of "validation" where both are."""
    for base in (folder, folder / "data"):
        names = sorted(path.relative_to(base).as_posix() for path in base.rglob("*.parquet")) if base.is_dir() else []
        found = {split: [base / name for name in names if of.fullmatch(name)] for split, of in _SPLITS.items()}
        if found["train"] and (found["test"] or found["validation"]):
            if not found["test"]:
                found["test"] = found.pop("validation")
            return {split: paths for split, paths in found.items() if paths}
    others = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet"))
    # a few names say what is wrong, and the line stays short
    shown = ", ".join(others[:4]) + (", ..." if len(others) > 4 else "")
    raise InputError(f"data.folder: {_EXPECTED} in {folder} or in its folder data; found {shown or 'no parquet file'}")


def find_columns(path: Path) -> Columns:
    """The columns of images and labels, by their types and, where several fit, by their usual names."""
    import_pyarrow()
    from pyarrow import types

    schema = _open(path).schema_arrow
    images = [field.name for field in schema if _is_encoded(field.type)]
    labels = [field.name for field in schema if _is_label(field.type, types)]
    image, label = _usual(images, _IMAGES), _usual(labels, _LABELS)
    if image is None or label is None:
        found = ", ".join(f"{field.name} ({_short(field.type)})" for field in schema)
        what = "image, of {bytes, path} or bytes" if image is None else "label, of whole numbers or names"
        raise InputError(f"{path.name} must have one column {what}; found {found}: name it so")
    return Columns(image, label)


def image_sizes(path: Path, column: str) -> list[tuple[int, int]]:
    """Width and height of the first images of a file, at most 256."""
    return [opened(source).size for source in next(_batches([path], column))]


def import_pyarrow() -> None:
    """Say what to install where pyarrow is missing."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise InputError("parquet needs pyarrow, which is not installed: pip install 'prunestats[parquet]'") from error


def _usual(found: Sequence[str], usual: Sequence[str]) -> str | None:
    if len(found) == 1:
        return found[0]
    return next((name for name in usual if name in found), None)


def _is_encoded(kind: Any) -> bool:
    from pyarrow import types

    if types.is_struct(kind):
        return any(field.name == "bytes" and _is_encoded(field.type) for field in kind)
    return bool(types.is_binary(kind) or types.is_large_binary(kind))


def _is_label(kind: Any, types: Any) -> bool:
    value = kind.value_type if types.is_dictionary(kind) else kind
    return bool(types.is_integer(value) or types.is_string(value) or types.is_large_string(value))


def _short(kind: Any) -> str:
    return str(kind).partition("<")[0]


def _open(path: Path) -> Any:
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.ParquetFile(path)
    except (OSError, pyarrow.ArrowException) as error:
        raise InputError(f"{path.name} cannot be read as parquet ({' '.join(str(error).split())})") from error


def _column(path: Path, name: str) -> Any:
    """The opened file, which has a column of a name."""
    found = _open(path)
    if name not in found.schema_arrow.names:
        raise InputError(
            f"{path.name} must have the column {name!r}, as train has; found {', '.join(found.schema_arrow.names)}"
        )
    return found


def _labels(files: Mapping[str, Sequence[Path]], columns: Columns) -> dict[str, NDArray[np.int64]]:
    found: dict[str, list[Any]] = {}
    for split, paths in files.items():
        found[split] = [value for path in paths for value in _label_values(path, columns.label)]
    names: list[str] | None = None
    if any(isinstance(value, str) for value in found["train"]):
        names = sorted(set(found["train"]))
    return {split: _numbered(values, names, f"{columns.label} of {split}") for split, values in found.items()}


def _label_values(path: Path, name: str) -> list[Any]:
    values: list[Any] = _column(path, name).read(columns=[name]).column(name).to_pylist()
    if None in values:
        raise InputError(
            f"{path.name}: column {name!r} must have a label for each image; found none in row {values.index(None)}"
        )
    return values


def _numbered(values: list[Any], names: list[str] | None, what: str) -> NDArray[np.int64]:
    if names is not None:
        numbers = {name: number for number, name in enumerate(names)}
        if unknown := next((value for value in values if value not in numbers), None):
            raise InputError(f"{what} must hold classes that occur in train; found {unknown!r}")
        return np.array([numbers[value] for value in values], dtype=np.int64)
    labels = np.array(values, dtype=np.int64)
    if len(labels) and labels.min() < 0:
        raise InputError(
            f"{what} must be whole numbers from 0; found {labels.min()}: where test has no labels, move its files "
            "away, and validation is the test split"
        )
    return labels


def _form(files: Mapping[str, Sequence[Path]], column: str, size: int | None, resize: int | None) -> Form:
    """Channels and size of the decoded images, by the headers of all of them."""
    grey, sizes = True, dict[tuple[int, int], str]()
    for paths in files.values():
        for batch in _batches(paths, column):
            for source in batch:
                image = opened(source)
                grey = grey and image.mode in ("1", "L")
                sizes.setdefault(image.size, source.name)
    channels = 1 if grey else 3
    if size is not None:
        return Form(channels, size, size, resize or size)
    if len(sizes) > 1:
        (first, one), (second, other) = list(sizes.items())[:2]
        raise InputError(
            f"images of several sizes need data.image_size, the side of their central crop in pixels; found "
            f"{first[0]} x {first[1]} in {one} and {second[0]} x {second[1]} in {other}: add it to [data]"
        )
    width, height = next(iter(sizes), (0, 0))
    return Form(channels, height, width, None)


def _batches(paths: Sequence[Path], name: str) -> Iterator[list[Source]]:
    for path in paths:
        row = 0
        for batch in _column(path, name).iter_batches(BATCH, columns=[name]):
            values = [value["bytes"] if isinstance(value, dict) else value for value in batch.column(0).to_pylist()]
            names = [f"row {row + number} of {path.name}" for number in range(len(values))]
            row += len(values)
            if None in values:
                raise InputError(
                    f"{names[values.index(None)]} must hold the bytes of its image; found none: write the images into "
                    "the files (in datasets: embed_external_files)"
                )
            yield [Source(*pair) for pair in zip(names, values, strict=True)]
