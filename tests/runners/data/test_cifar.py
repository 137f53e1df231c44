"""CIFAR's python version is read as data: pickles that would run code, or are not CIFAR, are refused."""

import builtins
import io
import os
import pickle
import struct

import numpy as np
import pytest

from prunestats.errors import InputError
from prunestats.runners import load_data

N = 20


def images_and_labels(seed):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (N, 3072), dtype=np.uint8), np.arange(N) % 5


def python_2(content, shape, labels, key):
    """A pickle as Python 2 wrote it, which is how CIFAR was published: protocol 2, str opcodes, numpy.core."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    def number(value):
        return b"K" + bytes([value]) if value < 256 else b"M" + struct.pack("<H", value)

    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b") + b"\x87R"
    dtype = (
        b"cnumpy\ndtype\n"
        + text(b"u1")
        + b"K\x00K\x01\x87R(K\x03"
        + text(b"|")
        + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
    )
    raw = b"T" + struct.pack("<i", len(content)) + content
    data = array + b"(K\x01" + number(shape[0]) + number(shape[1]) + b"\x86" + dtype + b"\x89" + raw + b"tb"
    listed = b"](" + b"".join(number(int(label)) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + data + text(key) + listed + b"u."


def python_3(content, shape, labels, key):
    data = np.frombuffer(content, np.uint8).reshape(shape)
    return pickle.dumps({b"data": data, key: [int(label) for label in labels]}, protocol=2)


LAYOUTS = {
    "cifar10": ([f"data_batch_{part}" for part in range(1, 6)], "test_batch", 10, b"labels"),
    "cifar100": (["train"], "test", 100, b"fine_labels"),
}


def write(folder, name, pickled):
    train, test, _, key = LAYOUTS[name]
    for seed, part in enumerate([*train, test]):
        images, labels = images_and_labels(seed)
        (folder / part).write_bytes(pickled(images.tobytes(), images.shape, labels, key))


def write_binary(folder, name):
    train, test, classes, _ = LAYOUTS[name]
    for seed, part in enumerate([*train, test]):
        images, labels = images_and_labels(seed)
        coarse = [] if classes == 10 else [np.full((N, 1), 19, np.uint8)]
        np.hstack([*coarse, labels[:, None].astype(np.uint8), images]).tofile(folder / f"{part}.bin")


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("pickled", [python_2, python_3])
def test_both_versions_hold_the_same_data(tmp_path, name, pickled):
    (tmp_path / "python").mkdir()
    (tmp_path / "binary").mkdir()
    write(tmp_path / "python", name, pickled)
    write_binary(tmp_path / "binary", name)
    python, binary = (load_data(name, str(tmp_path / version), 0.2) for version in ("python", "binary"))
    assert python.digest == binary.digest
    test, (images, labels) = binary.test, images_and_labels(len(LAYOUTS[name][0]))
    np.testing.assert_array_equal(test.pixels.numpy(), images.reshape(-1, 3, 32, 32))
    np.testing.assert_array_equal(test.labels.numpy(), labels)


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def global_(module, name):
    return f"c{module}\n{name}\n".encode()


HOSTILE = {
    "a system call": pickle.dumps({b"data": Call(os.system, "touch HARM")}),
    "eval": pickle.dumps(Call(builtins.eval, "open('HARM', 'w')")),
    "getattr": pickle.dumps(Call(getattr, np.ndarray, "tofile")),
    "open": pickle.dumps(Call(io.open, "HARM", "w")),
    "a dotted name": pickle.dumps(1, protocol=4)[:-1][:2] + b"\x8c\x05numpy\x8c\x12ndarray.__reduce__\x93.",
    "numpy's own loader": b"\x80\x02" + global_("numpy", "load") + b"X\x04\x00\x00\x00HARM\x85R.",
    "numpy's object arrays": pickle.dumps({b"data": np.array([Call(os.system, "touch HARM")], dtype=object)}),
    "an attribute of a stand-in": b"\x80\x02" + global_("numpy", "ndarray") + b"N}X\x04\x00\x00\x00nameK\x01s\x86b.",
    "a persistent name": b"Psomething\n.",
    "an extension": b"\x80\x02\x82\x01.",
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_pickle_that_would_run_code_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    write(tmp_path, "cifar10", python_3)
    (tmp_path / "data_batch_2").write_bytes(content)
    with pytest.raises(InputError, match="data_batch_2 is not CIFAR's python version as it was published") as caught:
        load_data("cifar10", str(tmp_path))
    assert not (tmp_path / "HARM").exists()
    assert "\n" not in str(caught.value)


def test_the_message_contains_the_name_in_a_hostile_file(tmp_path):
    write(tmp_path, "cifar10", python_3)
    (tmp_path / "test_batch").write_bytes(HOSTILE["a system call"])
    with pytest.raises(InputError, match=r"it names \w+\.system, which no file of CIFAR does"):
        load_data("cifar10", str(tmp_path))


images, labels = images_and_labels(0)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not CIFAR's python version"),
        (python_2(images.tobytes(), images.shape, labels, b"labels")[:-500], "not CIFAR's python version"),
        (python_3(images.tobytes(), (N * 2, 1536), labels, b"labels"), r"shape \(40, 1536\)"),
        (python_3(images.tobytes(), images.shape, labels, b"fine_labels"), "KeyError"),
        (python_3(images.tobytes(), images.shape, labels[:-1], b"labels"), "one label an image; found 20 and 19"),
        (python_3(images.tobytes(), images.shape, labels + 6, b"labels"), "labels below 10; found 10"),
        (
            pickle.dumps({b"data": images.astype(float), b"labels": [0] * N}, protocol=2),
            "images are not an array of uint8",
        ),
        (pickle.dumps([1, 2]), "AttributeError"),
    ],
)
def test_what_is_not_cifar_is_refused(tmp_path, content, complaint):
    write(tmp_path, "cifar10", python_3)
    (tmp_path / "data_batch_1").write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        load_data("cifar10", str(tmp_path))
