"""IDX files, as MNIST, Fashion-MNIST and EMNIST are published."""

import gzip

import numpy as np
import pytest
import torch

from prunestats.errors import InputError
from prunestats.runners import load_data

IMAGES = np.random.default_rng(0).integers(0, 256, (48, 5, 7), dtype=np.uint8)
LABELS = (np.arange(48) % 4).astype(np.uint8)


def idx(array):
    """An array in IDX: two zeros, 8 for unsigned bytes, number of dimensions, sizes in 32 bits (big-endian), values."""
    head = bytes((0, 0, 8, array.ndim)) + np.array(array.shape, ">u4").tobytes()
    return head + array.tobytes()


def write(folder, prefix="", ending="", test="t10k", images=IMAGES, labels=LABELS):
    folder.mkdir(exist_ok=True)
    pack = gzip.compress if ending == ".gz" else bytes
    for split, rows in (("train", slice(0, 40)), (test, slice(40, 48))):
        (folder / f"{prefix}{split}-images-idx3-ubyte{ending}").write_bytes(pack(idx(images[rows])))
        (folder / f"{prefix}{split}-labels-idx1-ubyte{ending}").write_bytes(pack(idx(labels[rows])))
    return folder


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_images_and_labels_are_read_gzipped_or_not(tmp_path, ending):
    data = load_data("idx", str(write(tmp_path, ending=ending)), 0.2)
    assert (len(data.train), len(data.validation), len(data.test), data.num_classes) == (32, 8, 8, 4)
    assert torch.equal(data.test.pixels, torch.from_numpy(IMAGES[40:, None]))
    assert torch.equal(data.test.labels, torch.from_numpy(LABELS[40:].astype(np.int64)))
    assert data.example_input.shape == (1, 1, 5, 7)


def test_the_digest_depends_neither_on_compression_nor_on_the_folder(tmp_path):
    plain, packed = (write(tmp_path / name, ending=ending) for name, ending in (("a", ""), ("b", ".gz")))
    assert load_data("idx", str(plain)).digest == load_data("idx", str(packed)).digest


def test_emnist_is_turned_and_its_letters_begin_with_0(tmp_path):
    square = np.random.default_rng(1).integers(0, 256, (48, 6, 6), dtype=np.uint8)
    labels = np.r_[np.arange(1, 27), np.arange(1, 15), np.arange(1, 9)].astype(np.uint8)
    write(tmp_path, "emnist-letters-", ".gz", "test", square, labels)
    write(tmp_path, "emnist-balanced-", ".gz", "test", square)
    found = load_data("idx", str(tmp_path / "emnist-letters-train-images-idx3-ubyte.gz"), 0.5)
    assert torch.equal(found.test.pixels, torch.from_numpy(square[40:, None]).transpose(2, 3))
    assert found.num_classes == 26
    assert found.test.labels.tolist() == list(range(8))
    balanced = load_data("idx", str(tmp_path / "emnist-balanced-train-images-idx3-ubyte.gz"))
    assert torch.equal(balanced.test.labels, torch.from_numpy(LABELS[40:].astype(np.int64)))


def test_a_folder_whose_files_change_is_read_anew(tmp_path):
    before = load_data("idx", str(write(tmp_path))).digest
    write(tmp_path, images=255 - IMAGES)
    (tmp_path / "train-images-idx3-ubyte").touch()
    assert load_data("idx", str(tmp_path)).digest != before


def several(folder):
    write(folder, "emnist-letters-")


def below(folder):
    write(folder / "raw")
    for path in folder.glob("*ubyte"):
        path.unlink()


def no_test(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()


def cut_short(folder):
    path = folder / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-3])


def other_file(folder):
    (folder / "train-images-idx3-ubyte").write_bytes(b"<html>")


def half_gzip(folder):
    write(folder, ending=".gz")
    for path in folder.glob("*ubyte"):
        path.unlink()
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-20])


def fewer_labels(folder):
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(LABELS[:39]))


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (several, r"several sets \(one without prefix, emnist-letters\): name the training images of one, as folder ="),
        (below, r"found none in .*, but in .*raw: name that folder"),
        (no_test, "found no test labels in"),
        (cut_short, "must hold 40 x 5 x 7 bytes; found 1397: is it complete"),
        (other_file, r"must begin with the bytes 0 0 8 3 of IDX .*; found 60 104 116 109"),
        (half_gzip, r"train-images-idx3-ubyte\.gz cannot be read .*: is it complete"),
        (fewer_labels, "must hold one label an image; found 39 labels and 40 images"),
    ],
)
def test_what_is_no_idx_is_refused_in_one_line(tmp_path, harm, complaint):
    harm(write(tmp_path))
    with pytest.raises(InputError, match=complaint) as caught:
        load_data("idx", str(tmp_path))
    assert "\n" not in str(caught.value)
