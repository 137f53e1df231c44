"""Normalisation by a given mean and standard deviation, of bytes and of other numbers."""

import numpy as np
import pytest
import torch

from prunestats.errors import InputError
from prunestats.runners import load_data
from prunestats.runners.data.normalisation import check_range, pixel_range

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


@pytest.fixture
def saved(tmp_path):
    def of(pixels, name="data.npz"):
        labels = np.arange(len(pixels)) % 3
        arrays = {"train_images": pixels, "train_labels": labels, "test_images": pixels[:6], "test_labels": labels[:6]}
        np.savez(tmp_path / name, **arrays)
        return str(tmp_path / name)

    return of


@pytest.fixture
def pixels():
    return np.random.default_rng(0).integers(0, 256, (30, 3, 4, 4), dtype=np.uint8)


def expected(pixels, mean=MEAN, std=STD, scale=255.0):
    column = (None, slice(None), None, None)
    return (pixels / scale - np.array(mean)[column]) / np.array(std)[column]


def test_bytes_are_divided_by_255_first(saved, pixels):
    data = load_data("npz", saved(pixels), mean=MEAN, std=STD)
    np.testing.assert_allclose(data.test.images.numpy(), expected(pixels[:6]), rtol=1e-5, atol=1e-6)
    assert data.mean == pytest.approx([255 * value for value in MEAN])
    assert data.test.pixels.dtype == torch.uint8


def test_other_numbers_are_taken_as_they_are_unless_a_scale_is_given(saved, pixels):
    floats = (pixels / 255).astype(np.float32)
    data = load_data("npz", saved(floats), mean=MEAN, std=STD)
    np.testing.assert_allclose(data.test.images.numpy(), expected(pixels[:6]), rtol=1e-5, atol=1e-5)
    large = load_data("npz", saved(255 * floats, "large.npz"), mean=MEAN, std=STD, scale=255)
    np.testing.assert_allclose(large.test.images.numpy(), expected(pixels[:6]), rtol=1e-5, atol=1e-5)


def test_a_scale_of_one_is_for_means_in_units_of_bytes(saved, pixels):
    mean, std = (123.7, 116.3, 103.5), (58.4, 57.1, 57.4)
    data = load_data("npz", saved(pixels), mean=mean, std=std, scale=1)
    np.testing.assert_allclose(data.test.images.numpy(), expected(pixels[:6], mean, std, 1), rtol=1e-5, atol=1e-5)


def test_the_normalisation_of_the_training_split_given_as_numbers_gives_its_images(saved, pixels):
    for content in (pixels, pixels.astype(np.float32)):
        path = saved(content, f"{content.dtype}.npz")
        plain = load_data("npz", path)
        given = load_data("npz", path, mean=plain.mean, std=plain.spread, scale=1)
        torch.testing.assert_close(given.train.images, plain.train.images, rtol=1e-5, atol=1e-5)


def test_the_digest_depends_on_what_is_given_and_not_otherwise(saved, pixels):
    path = saved(pixels)
    plain = load_data("npz", path)
    assert load_data("npz", path, scale=255).digest == plain.digest
    digests = {load_data("npz", path, mean=MEAN, std=std).digest for std in (STD, (0.2, 0.25, 0.31))}
    assert len(digests | {plain.digest}) == 3
    in_bytes = [255 * value for value in MEAN], [255 * value for value in STD]
    assert load_data("npz", path, mean=in_bytes[0], std=in_bytes[1], scale=1).digest in digests


def test_digests_and_images_of_before_are_unchanged():
    data = load_data("digits")
    assert data.digest == "bb460a38a9265fe0"
    assert float(data.train.images.double().sum()) == pytest.approx(0, abs=1e-2)


def test_each_channel_needs_its_numbers(saved, pixels):
    with pytest.raises(InputError, match=r"one number for each of the 3 channels of the images; found 1 and 1"):
        load_data("npz", saved(pixels), mean=[0.5], std=[0.5])


def test_pixels_of_another_range_than_the_weights_mean_are_refused(saved, pixels):
    data = load_data("npz", saved(pixels.astype(np.float32)))
    assert pixel_range(data) == pytest.approx((pixels.min(), pixels.max()), abs=0.5)
    check_range(load_data("npz", saved(pixels, "bytes.npz")), None, "the weights")
    check_range(data, 255, "the weights")
    with pytest.raises(
        InputError, match=r"data\.scale: expected pixels from 0 to 1 .* of timm's .*; found 0 to 255: give"
    ):
        check_range(data, None, "timm's pretrained_cfg")
