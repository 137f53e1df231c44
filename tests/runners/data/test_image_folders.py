"""Folders of images in ImageNet's layout."""

import os
import shutil
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image

from prunestats.errors import InputError
from prunestats.runners import load_data
from prunestats.runners.data import datasets, decoded_images


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    datasets._load.cache_clear()


@pytest.fixture
def folder(tmp_path):
    """Three classes in the order of their names, with images of several sizes and formats."""
    rng = np.random.default_rng(0)
    for split, n in (("train", 6), ("val", 2)):
        for label, name in enumerate(("ant", "bee", "cat")):
            place = tmp_path / "images" / split / name
            place.mkdir(parents=True)
            for number in range(n):
                height, width = rng.integers(20, 40, 2)
                pixels = np.full((height, width, 3), 40 * (label + 1), np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.{'png' if number else 'jpg'}")
    Image.new("L", (30, 25), 200).save(tmp_path / "images" / "val" / "bee" / "grey.png")
    return tmp_path / "images"


def load(folder, **options):
    datasets._load.cache_clear()
    return load_data("images", str(folder), 1 / 3, **{"image_size": 16, **options})


def test_classes_are_numbered_by_name_and_images_are_squares_of_bytes(folder):
    data = load(folder)
    assert (len(data.train), len(data.validation), len(data.test), data.num_classes) == (12, 6, 7, 3)
    assert data.train.pixels.dtype == torch.uint8
    assert data.example_input.shape == (1, 3, 16, 16)
    for split in (data.train, data.validation, data.test):
        shown = split.pixels[split.rows].float().mean((1, 2, 3))
        expected = 40.0 * (split.labels + 1)
        grey = shown.round() == 200
        torch.testing.assert_close(shown[~grey], expected[~grey], atol=2, rtol=0)
    assert data.test.labels.tolist() == [0, 0, 1, 1, 1, 2, 2]


def test_normalisation_is_that_of_the_training_images_alone(folder):
    train = load(folder).train
    exact = train.pixels[train.rows].double()
    mean, spread = exact.mean((0, 2, 3)), exact.std((0, 2, 3), correction=0)
    torch.testing.assert_close(train.mean.flatten().double(), mean)
    torch.testing.assert_close(train.spread.flatten().double(), spread)
    torch.testing.assert_close(train.images.double(), (exact - mean[:, None, None]) / spread[:, None, None])


def test_the_shorter_side_is_resized_and_the_centre_cropped(tmp_path, folder):
    ramp = np.tile(np.arange(0, 240, 4, dtype=np.uint8)[None, :, None], (30, 1, 3))  # 60 wide, 30 high
    Image.fromarray(ramp).save(folder / "val" / "ant" / "0.png")
    data = load(folder, image_size=10, resize=15)
    row = data.test.pixels[data.test.rows[1], 0, 5].double()  # 30 wide after resizing: columns 10 to 19
    torch.testing.assert_close(row, torch.arange(10, 20).double() * 8 + 2, atol=2, rtol=0)


def test_images_are_decoded_once_and_mapped(folder, monkeypatch):
    first = load(folder)

    def refuse(*ignored):
        pytest.fail("decoded again")

    monkeypatch.setattr(decoded_images, "pixels", refuse)
    again = load(folder)
    assert first.digest == again.digest
    assert torch.equal(first.train.pixels, again.train.pixels)


def test_another_size_or_a_changed_file_is_decoded_again(folder, tmp_path):
    before = load(folder).digest
    load(folder, image_size=8)
    load(folder, resize=20)
    Image.new("RGB", (20, 20)).save(folder / "train" / "ant" / "0.jpg")
    assert load(folder).digest != before
    assert len(list((tmp_path / "cache" / "prunestats").iterdir())) == 4


def test_the_digest_depends_on_the_content_and_not_on_the_folder(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "moved")
    os.utime(tmp_path / "moved" / "train" / "ant" / "1.png")
    assert load(folder).digest == load(tmp_path / "moved").digest


def test_a_run_trains_on_mapped_images(folder):
    from prunestats.runners import build_network
    from prunestats.runners.training.loop import train
    from prunestats.runners.training.recipe import Recipe

    data = load(folder)
    own = {"pixels": data.train.pixels[data.train.rows].clone(), "rows": None}
    mapped, in_memory = (
        train(
            build_network("resnet20", num_classes=3, seed=0),
            images,
            data.validation,
            Recipe(2, 0.05, 4, 0.9, 0.0),
            rng=np.random.default_rng(0),
        )
        for images in (data.train, replace(data.train, **own))
    )
    assert mapped == in_memory


def no_val(folder):
    shutil.rmtree(folder / "val")


def no_classes(folder):
    shutil.rmtree(folder / "train")
    (folder / "train").mkdir()


def unknown_class(folder):
    (folder / "val" / "bee").rename(folder / "val" / "wasp")


def empty_class(folder):
    shutil.rmtree(folder / "train" / "ant")
    (folder / "train" / "ant").mkdir()


def broken_image(folder):
    (folder / "train" / "cat" / "3.png").write_bytes(b"\x89PNG no more")


def other_file(folder):
    (folder / "train" / "cat" / "notes.txt").write_text("hello")


@pytest.mark.parametrize(
    ("harm", "complaint"),
    [
        (no_val, r"expected train/CLASS/\*\.jpg and val/CLASS/\*\.jpg; found no .*val"),
        (no_classes, "expected a folder for each class in .*train; found none"),
        (unknown_class, "class 'wasp' of val is not among the classes of train"),
        (empty_class, "class 'ant' of train must hold images"),
        (broken_image, r"3\.png cannot be decoded as an image"),
        (other_file, r"expected images .*; found .*notes\.txt"),
    ],
)
def test_what_is_no_folder_of_images_is_refused_in_one_line(folder, tmp_path, harm, complaint):
    harm(folder)
    with pytest.raises(InputError, match=complaint) as caught:
        load(folder)
    assert "\n" not in str(caught.value)
    assert not list((tmp_path / "cache").rglob("*.npy"))


def test_what_does_not_fit_on_the_disk_is_refused(folder, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(InputError, match=r"decoded images need 0\.0 GB in .*: set XDG_CACHE_HOME"):
        load(folder)


def test_without_pillow_the_message_says_what_to_install(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(InputError, match=r"pip install 'prunestats\[images\]'"):
        load(folder)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [({"image_size": None}, "data.image_size must give"), ({"resize": 8}, "data.resize must be at least")],
)
def test_sizes_that_do_not_fit_are_refused(folder, options, complaint):
    with pytest.raises(InputError, match=complaint):
        load(folder, **options)
