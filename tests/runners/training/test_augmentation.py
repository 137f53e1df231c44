"""Random resized crops: their distribution is the published one, and their pixels those of bilinear resizing."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.nn import functional

from prunestats.runners.data.splits import ImageSplit
from prunestats.runners.training.augmentation import resized_crop_and_flip, resized_crops
from prunestats.runners.training.batches import training_batches


def published_crop(height, width, rng):
    """One crop by the rule of Szegedy et al. (2015), written out as torchvision's RandomResizedCrop does."""
    for _ in range(10):
        area = height * width * rng.uniform(0.08, 1)
        ratio = math.exp(rng.uniform(math.log(3 / 4), math.log(4 / 3)))
        w, h = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < w <= width and 0 < h <= height:
            return rng.integers(0, height - h + 1), rng.integers(0, width - w + 1), h, w
    if width / height < 3 / 4:
        w, h = width, round(width / (3 / 4))
    elif width / height > 4 / 3:
        w, h = round(height * (4 / 3)), height
    else:
        w, h = width, height
    return (height - h) // 2, (width - w) // 2, h, w


@pytest.mark.parametrize("size", [(160, 160), (90, 120), (40, 200)])
def test_crops_have_the_published_distribution(size):
    """Area, aspect ratio and place of 20,000 crops against the rule written out, by Kolmogorov and Smirnov's test."""
    n = 20_000
    rng = np.random.default_rng(1)
    expected = np.array([published_crop(*size, rng) for _ in range(n)]).T
    found = resized_crops(n, size, np.random.default_rng(2))
    tops, lefts, heights, widths = found
    assert ((tops >= 0) & (lefts >= 0) & (tops + heights <= size[0]) & (lefts + widths <= size[1])).all()

    def quantities(crops):
        top, left, height, width = crops.astype(float)
        room = size[0] - height, size[1] - width
        starts = zip((top, left), room, strict=True)
        places = [np.where(space > 0, start / np.maximum(space, 1), 0.5) for start, space in starts]
        return height * width, np.log(width / height), *places

    for one, other in zip(quantities(found), quantities(expected), strict=True):
        # each of twelve tests rejects a true hypothesis with a probability of one in ten thousand
        assert stats.ks_2samp(one, other).pvalue > 1e-4


def test_area_is_uniform_where_all_proposals_fit():
    """In a square image nothing is rejected below 3/4 of its area, so that crops up to there are uniform."""
    _, _, heights, widths = resized_crops(40_000, (2_000, 2_000), np.random.default_rng(0))
    areas, ratios = heights * widths / 2_000**2, np.log(widths / heights)
    small = areas < 0.75
    assert stats.kstest((areas[small] - 0.08) / 0.67, "uniform").pvalue > 1e-4
    assert stats.kstest((ratios[small] + math.log(4 / 3)) / (2 * math.log(4 / 3)), "uniform").pvalue > 1e-4


def test_a_crop_that_never_fits_is_the_largest_at_the_centre():
    """An image of 1 x 50 pixels: no crop of at least 4 square pixels has an aspect ratio below 4/3."""
    tops, lefts, heights, widths = resized_crops(5, (1, 50), np.random.default_rng(0))
    assert (set(tops), set(lefts), set(heights), set(widths)) == ({0}, {24}, {1}, {1})


@pytest.mark.parametrize(("stored", "size"), [((20, 20), (16, 16)), ((24, 31), (12, 17)), ((9, 9), (9, 9))])
def test_pixels_are_those_of_a_crop_that_is_resized_bilinearly(stored, size):
    images = torch.randn(60, 3, *stored, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = resized_crop_and_flip(images, size, np.random.default_rng(3))
    crops = resized_crops(60, stored, np.random.default_rng(3)).T.tolist()
    turned = 0
    for image, (top, left, height, width), result in zip(images, crops, found, strict=True):
        crop = image[None, :, top : top + height, left : left + width]
        expected = functional.interpolate(crop, size, mode="bilinear", align_corners=False, antialias=False)[0]
        mirrored = torch.allclose(result, expected.flip(2), atol=1e-9)
        assert mirrored or torch.allclose(result, expected, atol=1e-9)
        turned += mirrored
    assert 15 < turned < 45
    assert torch.equal(found, resized_crop_and_flip(images, size, np.random.default_rng(3)))


def test_training_takes_crops_of_the_stored_images_and_evaluation_their_centre():
    pixels = torch.arange(4 * 20 * 20, dtype=torch.float32).reshape(4, 1, 20, 20)
    split = ImageSplit(pixels, torch.arange(4), crop=16)
    assert torch.equal(split.images, pixels[..., 2:18, 2:18])
    rng = np.random.default_rng(0)
    images, labels = (
        torch.cat(part) for part in zip(*training_batches(split, 3, "resized_crop_flip", rng), strict=True)
    )
    assert images.shape == (4, 1, 16, 16)
    assert sorted(labels.tolist()) == [0, 1, 2, 3]
    # outer rows of stored images enter, which no central crop has
    assert {int(label) for label in labels} == {int(image.median() // 400) for image in images}
    assert next(training_batches(split, 4, "none", rng))[0].shape == (4, 1, 16, 16)
    assert next(training_batches(split, 4, "crop_flip", rng))[0].shape == (4, 1, 16, 16)
    small = ImageSplit(pixels, torch.arange(4))
    assert next(training_batches(small, 4, "resized_crop_flip", rng))[0].shape == (4, 1, 20, 20)
