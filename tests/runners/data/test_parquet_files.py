"""Parquet files of encoded images, in the layout of Hugging Face's datasets."""

import io
import shutil
import sys

import numpy as np
import pytest
import torch

from prunestats.errors import InputError
from prunestats.runners import load_data
from prunestats.runners.data import datasets, decoded_images, parquet_files

Image = pytest.importorskip("PIL.Image")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

PIXELS = np.random.default_rng(0).integers(0, 256, (60, 6, 8, 3), dtype=np.uint8)
LABELS = np.arange(60) % 3


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    datasets._load.cache_clear()


def png(pixels):
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "png")
    return content.getvalue()


def table(rows, labels=LABELS, pixels=PIXELS, image="image", label="label", struct=True):
    images = [png(pixels[row]) for row in rows]
    images = [{"bytes": content, "path": None} for content in images] if struct else images
    return pa.table({image: images, label: [labels[row] for row in rows]})


def write(folder, train="train.parquet", test="test.parquet", **options):
    (folder / train).parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table(range(48), **options), folder / train)
    pq.write_table(table(range(48, 60), **options), folder / test)
    return folder


def load(folder, **options):
    datasets._load.cache_clear()
    return load_data("parquet", str(folder), **options)


def test_pixels_are_those_of_the_encoded_images(tmp_path):
    data = load(write(tmp_path))
    assert (len(data.train), len(data.validation), len(data.test), data.num_classes) == (36, 12, 12, 3)
    assert torch.equal(data.test.pixels, torch.from_numpy(PIXELS[48:].transpose(0, 3, 1, 2)))
    assert torch.equal(data.test.labels, torch.from_numpy(LABELS[48:]))


def test_the_same_pixels_as_arrays_have_the_same_splits(tmp_path):
    data = load(write(tmp_path))
    arrays = {"train_images": PIXELS[:48].transpose(0, 3, 1, 2), "test_images": PIXELS[48:].transpose(0, 3, 1, 2)}
    np.savez(tmp_path / "x.npz", **arrays, train_labels=LABELS[:48], test_labels=LABELS[48:])
    same = load_data("npz", str(tmp_path / "x.npz"))
    for split in ("train", "validation", "test"):
        assert torch.equal(getattr(data, split).images, getattr(same, split).images)
        assert torch.equal(getattr(data, split).labels, getattr(same, split).labels)


def test_bytes_class_names_and_shards_in_data_are_read(tmp_path):
    names = [("ant", "bee", "cat")[label] for label in LABELS]
    folder = tmp_path / "data"
    folder.mkdir()
    options = {"image": "img", "label": "fine_label", "struct": False, "labels": names}
    for shard, rows in enumerate((range(20), range(20, 48))):
        pq.write_table(table(rows, **options), folder / f"train-0000{shard}-of-00002.parquet")
    pq.write_table(table(range(48, 60), **options), folder / "validation-00000-of-00001.parquet")
    data = load(tmp_path)
    assert (len(data.train), len(data.validation)) == (36, 12)
    assert torch.equal(data.test.labels, torch.from_numpy(LABELS[48:]))
    assert torch.equal(data.test.pixels, torch.from_numpy(PIXELS[48:].transpose(0, 3, 1, 2)))


def test_validation_files_are_the_validation_split(tmp_path):
    write(tmp_path)
    pq.write_table(table(range(40, 48)), tmp_path / "val.parquet")
    pq.write_table(table(range(40)), tmp_path / "train.parquet")
    data = load(tmp_path)
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 8, 12)
    assert torch.equal(data.validation.pixels, torch.from_numpy(PIXELS[40:48].transpose(0, 3, 1, 2)))
    with pytest.raises(InputError, match=r"validation_fraction = 0\.1 makes no sense beside validation images"):
        load(tmp_path, validation_fraction=0.1)


def test_grey_images_have_one_channel(tmp_path):
    data = load(write(tmp_path, pixels=PIXELS[..., 0]))
    assert data.example_input.shape == (1, 1, 6, 8)
    mixed = [PIXELS[row, ..., 0] if row else PIXELS[row] for row in range(60)]
    assert load(write(tmp_path, pixels=mixed)).example_input.shape == (1, 3, 6, 8)


def test_images_of_several_sizes_are_cropped(tmp_path):
    sizes = [PIXELS[row, : 4 + row % 3] for row in range(60)]
    write(tmp_path, pixels=sizes)
    with pytest.raises(
        InputError, match=r"several sizes need data\.image_size, .*8 x 4 in row 0 of train\.parquet and 8"
    ):
        load(tmp_path)
    assert load(tmp_path, image_size=4).example_input.shape == (1, 3, 4, 4)
    stored = load(tmp_path, image_size=4, stored_size=5, resize=6)
    assert stored.train.batch(slice(0, 2))[0].shape == (2, 3, 4, 4)
    assert stored.train.batch(slice(0, 2), whole=True)[0].shape == (2, 3, 5, 5)


def test_images_are_decoded_once_and_mapped_where_they_are_many(tmp_path, monkeypatch):
    first = load(write(tmp_path))
    assert first.train.rows is None
    monkeypatch.setattr(decoded_images, "pixels", lambda *ignored: pytest.fail("decoded again"))
    monkeypatch.setattr(parquet_files, "_MAPPED_FROM", 1)
    mapped = load(tmp_path)
    assert mapped.train.rows is not None
    assert first.digest == mapped.digest
    assert torch.equal(first.train.images, mapped.train.images)


def test_files_that_change_are_read_anew(tmp_path):
    before = load_data("parquet", str(write(tmp_path))).digest
    assert load_data("parquet", str(write(tmp_path, pixels=255 - PIXELS))).digest != before


def no_test(folder):
    (folder / "test.parquet").unlink()


def elsewhere(folder):
    (folder / "other" / "deep").mkdir(parents=True)
    for path in folder.glob("*.parquet"):
        shutil.move(path, folder / "other" / "deep" / path.name)


def no_images(folder):
    pq.write_table(pa.table({"text": ["a"], "label": [0]}), folder / "train.parquet")


def two_labels(folder):
    more = table(range(48), label="coarse").append_column("other", pa.array(LABELS[:48]))
    pq.write_table(more, folder / "train.parquet")


def another_column(folder):
    pq.write_table(table(range(48, 60), label="klass"), folder / "test.parquet")


def unlabelled(folder):
    pq.write_table(table(range(48, 60), labels=[-1] * 60), folder / "test.parquet")


def missing_label(folder):
    pq.write_table(table(range(48, 60), labels=[None] * 50 + [1] * 10), folder / "test.parquet")


def missing_bytes(folder):
    images = pa.array([{"bytes": None, "path": "a.png"}], pa.struct([("bytes", pa.binary()), ("path", pa.string())]))
    pq.write_table(pa.table({"image": images, "label": [0]}), folder / "test.parquet")


def broken_image(folder):
    rows = [{"bytes": b"\x89PNG no more", "path": None}]
    pq.write_table(pa.table({"image": rows, "label": [0]}), folder / "test.parquet")


def no_parquet(folder):
    (folder / "train.parquet").write_text("hello")


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (no_test, r"expected train\*\.parquet and test\*\.parquet .*; found train\.parquet"),
        (elsewhere, r"found other/deep/test\.parquet, other/deep/train\.parquet"),
        (no_images, r"must have one column image, of \{bytes, path\} or bytes; found text \(string\), label \(int64\)"),
        (two_labels, r"one column label, .*; found image \(struct\), coarse \(int64\), other \(int64\): name it so"),
        (another_column, r"test\.parquet must have the column 'label', as train has; found image, klass"),
        (unlabelled, r"label of test must be whole numbers from 0; found -1: where test has no labels"),
        (missing_label, r"test\.parquet: column 'label' must have a label for each image; found none in row 0"),
        (missing_bytes, r"row 0 of test\.parquet must hold the bytes of its image; found none"),
        (broken_image, r"row 0 of test\.parquet cannot be decoded as an image"),
        (no_parquet, r"train\.parquet cannot be read as parquet"),
    ],
)
def test_what_is_no_parquet_of_images_is_refused_in_one_line(tmp_path, harm, complaint):
    harm(write(tmp_path))
    with pytest.raises(InputError, match=complaint) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)


def test_without_pyarrow_the_message_says_what_to_install(tmp_path, monkeypatch):
    write(tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(InputError, match=r"pip install 'prunestats\[parquet\]'"):
        load(tmp_path)
