"""CIFAR-10 and CIFAR-100 from their binary and their python versions.

The python version is a pickle, and unpickling can run any code. Here it cannot: the few names that CIFAR's files hold
are replaced by inert records, and any other name is refused before it is imported.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from prunestats.errors import InputError

# Values of an image: three channels of 32 x 32 pixels, as CIFAR's authors describe both versions.
_PIXELS = 3 * 32 * 32

# Training files, test file, bytes of labels in a record of the binary version (CIFAR-100: coarse, then fine label), and
# key of the labels in the python version.
_LAYOUTS: dict[int, tuple[tuple[str, ...], str, int, bytes]] = {
    10: (tuple(f"data_batch_{part}" for part in range(1, 6)), "test_batch", 1, b"labels"),
    100: (("train",), "test", 2, b"fine_labels"),
}

Bytes = NDArray[np.uint8]


def read_cifar(folder: Path, classes: int) -> tuple[Bytes, Bytes, Bytes, Bytes]:
    """Images and labels of the training files, then of the test file.

    Parameters
    ----------
    folder : Path
        The folder of CIFAR's files: ``.bin`` (binary version), or without a suffix (python version).
    classes : {10, 100}
        CIFAR-10, or CIFAR-100 with its fine labels.

    Returns
    -------
    tuple of ndarray of uint8
        Images have shape (n, 3, 32, 32), labels (n,).

    Raises
    ------
    InputError
        If a file is missing or not in the published format.
    """
    train, test, _, _ = _LAYOUTS[classes]
    parts = [_read_part(folder, name, classes) for name in train]
    images, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    return images, labels, *_read_part(folder, test, classes)


def _read_part(folder: Path, name: str, classes: int) -> tuple[Bytes, Bytes]:
    binary, python = folder / f"{name}.bin", folder / name
    _, _, label_bytes, key = _LAYOUTS[classes]
    if binary.is_file():
        images, labels = _read_binary(binary, label_bytes)
    elif python.is_file():
        images, labels = _read_python(python, key)
    else:
        raise InputError(
            f"data.folder: expected CIFAR-{classes} with {name}.bin (binary version) or {name} (python version); "
            f"not found in {folder}"
        )
    if labels.max() >= classes:
        raise InputError(f"{name} must hold labels below {classes}; found {labels.max()}: is it CIFAR-{classes}?")
    return images.reshape(-1, 3, 32, 32), labels


def _read_binary(path: Path, label_bytes: int) -> tuple[Bytes, Bytes]:
    content = np.fromfile(path, dtype=np.uint8)
    record = label_bytes + _PIXELS
    if content.size == 0 or content.size % record:
        raise InputError(
            f"{path.name} must hold records of {record:,} bytes; found {content.size} bytes: is it complete?"
        )
    records = content.reshape(-1, record)
    return records[:, label_bytes:], records[:, label_bytes - 1]


def _read_python(path: Path, key: bytes) -> tuple[Bytes, Bytes]:
    try:
        stored = _Unpickler(io.BytesIO(path.read_bytes()), encoding="bytes").load()
        stored = {name if isinstance(name, bytes) else name.encode(): value for name, value in stored.items()}
        images, labels = stored[b"data"].pixels(), np.array(stored[key], dtype=np.uint8)
    except Exception as error:  # a damaged pickle can raise anything
        reason = error if isinstance(error, pickle.UnpicklingError) else f"{type(error).__name__}: {error}"
        message = " ".join(str(reason).split())
        raise InputError(
            f"{path.name} is not CIFAR's python version as it was published ({message}): download it again"
        ) from error
    if len(images) == 0 or len(images) != len(labels):
        raise InputError(f"{path.name} must hold one label an image; found {len(images)} and {len(labels)}")
    return images, labels


class _Array:
    """Inert stand-in for a numpy array: keeps the pickled state and never passes it to numpy."""

    def __init__(self, *ignored: Any) -> None:
        self.state: tuple[Any, ...] = ()

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self.state = state

    def pixels(self) -> Bytes:
        """Pixels of the images, shape (n, 3072)."""
        _, shape, dtype, fortran, content = self.state
        if (
            not isinstance(dtype, _Dtype)
            or dtype.name not in (b"u1", "u1")
            or not isinstance(content, bytes)
            or fortran
        ):
            raise pickle.UnpicklingError("its images are not an array of uint8")
        if len(shape) != 2 or shape[1] != _PIXELS:
            raise pickle.UnpicklingError(f"its images have shape {shape}")
        return np.frombuffer(content, dtype=np.uint8).reshape(shape).copy()


class _Dtype:
    """Inert stand-in for a numpy dtype."""

    def __init__(self, name: Any, *ignored: Any) -> None:
        self.name = name

    def __setstate__(self, state: Any) -> None:
        """Ignore byte order and alignment, which do not matter for single bytes."""


class _Unpickler(pickle.Unpickler):
    """Unpickler that resolves the names in CIFAR's files to inert stand-ins and refuses all others."""

    def find_class(self, module: str, name: str) -> Any:
        """The stand-in for a name in CIFAR's files; any other name is refused."""
        # Python 3 pickles bytes as this call in protocol 2; made anew each time, as a pickle may set its attributes
        latin1 = lambda text, encoding: text.encode("latin1")  # noqa: E731
        stand_ins = {
            ("numpy", "ndarray"): _Array,
            ("numpy", "dtype"): _Dtype,
            ("numpy.core.multiarray", "_reconstruct"): _Array,
            ("numpy._core.multiarray", "_reconstruct"): _Array,
            ("_codecs", "encode"): latin1,
        }
        if (module, name) not in stand_ins:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which no file of CIFAR does")
        return stand_ins[module, name]
