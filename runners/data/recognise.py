"""A data set recognised by its name, folder or file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from prunestats.errors import InputError
from prunestats.runners.data.idx_files import idx_prefixes, is_idx
from prunestats.runners.data.parquet_files import find_columns, image_sizes, parquet_files

# Where CIFAR's archives are unpacked: under their own names, or that of the data set, here or in data/.
_CIFAR = {
    "cifar10": ("cifar-10-batches-bin", "cifar-10-batches-py"),
    "cifar100": ("cifar-100-binary", "cifar-100-python"),
}

# Pixels: the side of images that a first study of minutes can afford; a larger one is asked for.
_SIDE = 64


def data_table(given: str, image_size: int | None = None) -> dict[str, Any]:
    """The table ``[data]`` of a study for a data set, without keys at their defaults.

    Parameters
    ----------
    given : str
        ``"digits"``, ``"cifar10"``, ``"cifar100"``, a folder (of CIFAR's files, IDX files, parquet, or
        ``train/CLASS/*`` and ``val/CLASS/*``), an ``.npz`` file, the IDX file of training images, or
        ``"module:function"``.
    image_size : int, optional
        Side of the images of a folder or of parquet, by default their shorter side up to 64 pixels.

    Raises
    ------
    InputError
        If nothing of this kind is there.

    Examples
    --------
    >>> data_table("digits")
    {'name': 'digits'}
    """
    if given == "digits":
        return {"name": "digits"}
    path = Path(given).expanduser()
    if given in _CIFAR and not path.is_dir():
        return {"name": given, "folder": str(_cifar_folder(given))}
    if path.is_dir():
        return _folder_table(given, path, image_size)
    if path.is_file() and path.suffix == ".npz":
        return {"name": "npz", "folder": given, **_cropped(image_size)}
    if path.is_file() and is_idx(path):
        return {"name": "idx", "folder": given}
    if ":" in given and not path.exists():
        return {"name": given, **_cropped(image_size)}
    found = "a file of another kind" if path.is_file() else "nothing there"
    raise InputError(
        "--data: expected digits, cifar10, cifar100, a folder, an .npz file or MODULE:FUNCTION; "
        f"found {given!r}, {found}"
    )


def _cropped(image_size: int | None) -> dict[str, int]:
    return {} if image_size is None else {"image_size": image_size}


def _cifar_folder(name: str) -> Path:
    places = [Path(base) / folder for base in (".", "data") for folder in (name, *_CIFAR[name])]
    for place in places:
        if place.is_dir():
            return place
    raise InputError(
        f"--data {name}: expected its files in one of {', '.join(map(str, places))}; found none: give their folder, "
        "as in --data PATH"
    )


def _folder_table(given: str, path: Path, image_size: int | None) -> dict[str, Any]:
    for name, part in (("cifar10", "data_batch_1"), ("cifar100", "train")):
        if any((path / file).is_file() for file in (part, f"{part}.bin")):
            return {"name": name, "folder": given}
    if idx_prefixes(path):
        return {"name": "idx", "folder": given}
    if any(path.glob("*.parquet")) or any(path.glob("data/*.parquet")):
        return {"name": "parquet", "folder": given, **_cropped(image_size or _parquet_side(path))}
    if not (path / "train").is_dir():
        raise InputError(
            "--data: expected CIFAR's files, IDX files, train*.parquet and test*.parquet, or train/CLASS/*.jpg and "
            f"val/CLASS/*.jpg; found none of them in {given!r}"
        )
    return {"name": "images", "folder": given, "image_size": image_size or _shorter_side(path / "train")}


def _parquet_side(folder: Path) -> int | None:
    """The shorter side of the first image, up to `_SIDE`; None where all are of one size up to it."""
    first = parquet_files(folder)["train"][0]
    sizes = image_sizes(first, find_columns(first).image)
    return None if len(set(sizes)) == 1 and max(sizes[0]) <= _SIDE else min(_SIDE, *sizes[0])


def _shorter_side(folder: Path) -> int:
    """The shorter side of the first image below a folder, up to `_SIDE`."""
    try:
        from PIL import Image
    except ImportError as error:
        raise InputError("--data: a folder of images needs Pillow: pip install 'prunestats[images]'") from error
    for path in sorted(folder.glob("*/*")):
        try:
            with Image.open(path) as image:
                return min(_SIDE, *image.size)
        except OSError:
            continue
    return _SIDE
