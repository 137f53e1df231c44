"""Some images of a split: the first, or a random sample, of images in memory and of images that are mapped."""

import torch

from prunestats.runners.data.datasets import ImageSplit, load_data
from prunestats.runners.execution import dense_check
from prunestats.runners.execution.image_samples import random_images
from prunestats.runners.networks.builtin import build_network


def test_a_random_sample_keeps_images_with_their_labels():
    pixels = torch.arange(50.0)[:, None, None, None].expand(50, 1, 2, 2)
    plain = ImageSplit(pixels, torch.arange(50))
    mapped = ImageSplit(pixels, torch.arange(50).flip(0), rows=torch.arange(50).flip(0))
    for split in (plain, mapped):
        some = random_images(split, 20, seed=3)
        images, labels = some.batch(slice(None))
        assert torch.equal(images[:, 0, 0, 0].long(), labels)
        assert len(set(labels.tolist())) == 20
        assert torch.equal(random_images(split, 20, seed=3).labels, labels)
        assert not torch.equal(random_images(split, 20, seed=4).labels, labels)
        assert random_images(split, 50, seed=3) is split


def test_errors_of_costly_networks_are_of_a_sample(monkeypatch):
    monkeypatch.setattr(dense_check, "_FEWEST", 40)
    monkeypatch.setattr(dense_check, "_MOST_FLOPS", {"cpu": 100_000, "cuda": 100_000})
    network, data = build_network("resnet_digits", seed=0), load_data("digits")
    for flops, images in ((1000, 100), (1_000_000, 40), (1, 337)):
        found = dense_check.measure_dense(network, data, torch.channels_last, flops, 0)
        assert found.validation.images == images
        assert found.validation.is_sample == (images < 337)
