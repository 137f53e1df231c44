"""Data sets of the user's own, which a function returns: kept in memory, or read anew where they are random."""

import dataclasses
import random
import sys
import types

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from prunestats.errors import InputError
from prunestats.runners import load_data
from prunestats.runners.data import datasets, loader_split, user_datasets
from prunestats.runners.data.dataset_items import is_random, read_item

IMAGES = np.random.default_rng(0).random((60, 1, 6, 6)).astype(np.float32)
LABELS = np.arange(60) % 3


class Plain(Dataset):
    """Images that are the same each time they are read."""

    def __init__(self, rows=slice(None), images=IMAGES, labels=LABELS):
        self.images, self.labels = images[rows], labels[rows]

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        return torch.from_numpy(self.images[index]), int(self.labels[index])


class Noisy(Plain):
    """Images with noise of all three generators."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image + torch.rand(()) + np.random.rand() + random.random(), label  # noqa: NPY002


class Rare(Plain):
    """Images that are changed with a probability of one in a million."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return -image if torch.rand(()) < 1e-6 else image, label


class OwnGenerator(Plain):
    """Noise of a generator that nobody can seed."""

    rng = np.random.default_rng()

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image + self.rng.random(), label


class SeededByIndex(Plain):
    """Noise that depends on the index alone."""

    def __getitem__(self, index):
        torch.manual_seed(index)
        image, label = super().__getitem__(index)
        return image + torch.rand(()), label


TRAIN, VALIDATION, TEST = slice(0, 40), slice(40, 50), slice(50, 60)


@pytest.fixture
def task(monkeypatch):
    """A module of the user's own, whose function returns what it is given."""
    module = types.ModuleType("task")
    monkeypatch.setitem(sys.modules, "task", module)
    monkeypatch.setattr(Noisy, "__module__", "task")

    def returning(found, **options):
        user_datasets.user_datasets.cache_clear()
        datasets._load.cache_clear()
        module.datasets = lambda: found
        return load_data("task:datasets", **options)

    yield returning
    user_datasets.user_datasets.cache_clear()
    datasets._load.cache_clear()


def noisy(validation=True):
    found = {"train": Noisy(TRAIN), "validation": Plain(VALIDATION), "test": Plain(TEST)}
    return found if validation else (found["train"], found["test"])


def test_items_that_agree_are_kept_in_memory_and_known_by_their_content(task, tmp_path):
    data = task((Plain(TRAIN), Plain(TEST)))
    arrays = {"train_images": IMAGES[TRAIN], "test_images": IMAGES[TEST]}
    np.savez(tmp_path / "x.npz", **arrays, train_labels=LABELS[TRAIN], test_labels=LABELS[TEST])
    same = load_data("npz", str(tmp_path / "x.npz"))
    assert data.digest == same.digest
    assert torch.equal(data.train.images, same.train.images)
    assert task((Plain(TRAIN, images=IMAGES + 1), Plain(TEST))).digest != data.digest


def test_a_validation_split_of_ones_own_is_used(task):
    data = task((Plain(TRAIN), Plain(VALIDATION), Plain(TEST)))
    assert (len(data.train), len(data.validation), len(data.test)) == (40, 10, 10)
    assert torch.equal(data.validation.labels, torch.from_numpy(LABELS[VALIDATION]))
    assert data.digest != task((Plain(TRAIN), Plain(TEST))).digest
    assert len(task((Plain(TRAIN), Plain(VALIDATION), Plain(TEST)), train_images=9).train) == 9


def test_items_that_draw_random_numbers_are_found():
    assert not is_random(Plain(), "train")
    assert not is_random(SeededByIndex(), "train")
    assert is_random(Noisy(), "train")
    assert is_random(Rare(), "train")
    with pytest.raises(InputError, match=r"train\[0\] must be the same after the same seeds of torch, numpy\.random"):
        is_random(OwnGenerator(), "train")


def test_reading_leaves_the_generators_as_they_were(task):
    states = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
    data = task(noisy(), version="1")
    list(data.train.batches([torch.arange(5)], np.random.default_rng(0)))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1].tolist(), random.getstate()) == states[1:]  # noqa: NPY002


@pytest.mark.parametrize("workers", [0, 1, 3])
def test_batches_depend_on_the_seed_alone(task, workers):
    groups = list(torch.randperm(40, generator=torch.Generator().manual_seed(0)).split(7))
    split = task(noisy(), version="1", workers=workers).train
    assert split.workers == workers

    def read(seed, of=split):
        return [torch.cat(part) for part in zip(*of.batches(groups, np.random.default_rng(seed)), strict=True)]

    images, labels = read(0)
    assert torch.equal(labels, torch.from_numpy(LABELS)[torch.cat(groups)])
    for other in (0, 2):
        again = read(0, dataclasses.replace(split, workers=other))
        assert torch.equal(images, again[0])
    assert not torch.equal(images, read(1)[0])
    # noise of three uniform numbers, each for itself
    noise = images[:, 0, 0, 0] - torch.from_numpy(IMAGES)[torch.cat(groups), 0, 0, 0]
    assert len(set(noise.tolist())) == 40
    assert abs(float(noise.mean()) - 1.5) < 4 * 0.5 / 40**0.5


def test_a_network_is_trained_on_random_images_with_the_same_bits(task):
    from prunestats.runners import build_network
    from prunestats.runners.training.loop import train
    from prunestats.runners.training.recipe import Recipe

    data = task(noisy(), version="1")

    def loss(workers, seed=0):
        network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Dropout(), torch.nn.Linear(36, 3))
        torch.manual_seed(0)
        network[2].reset_parameters()
        split = dataclasses.replace(data.train, workers=workers)
        return train(network, split, data.validation, Recipe(2, 0.1, 16, 0.9, 0.0), rng=np.random.default_rng(seed))

    assert loss(0) == loss(0) == loss(2) != loss(0, seed=1)
    assert build_network  # the network above has dropout, whose numbers the loader must not draw


def test_random_training_images_are_known_by_version_or_source(task, tmp_path, monkeypatch):
    first, other, again = (task(noisy(), version=version).digest for version in ("1", "2", "1"))
    assert first == again != other
    with pytest.raises(InputError, match="must be in a file of Python of your own, by whose source its random images"):
        task(noisy())
    monkeypatch.syspath_prepend(tmp_path)
    source = (
        "import torch\nimport task\n\n\nclass Set(task.Plain):\n    def __getitem__(self, index):\n"
        "        image, label = super().__getitem__(index)\n        return image + NOISE * torch.rand(()), label\n\n\n"
        "NOISE = 1\n\n\ndef datasets():\n"
        "    return Set(task.TRAIN), task.Plain(task.VALIDATION), task.Plain(task.TEST)\n"
    )
    module = sys.modules["task"]
    module.Plain, module.TRAIN, module.VALIDATION, module.TEST = Plain, TRAIN, VALIDATION, TEST
    found = []
    for number, text in enumerate((source, source + "# a comment\n", source.replace("NOISE = 1", "NOISE = 2"))):
        (tmp_path / f"mine{number}.py").write_text(text)
        found.append(load_data(f"mine{number}:datasets").digest)
    assert found[0] == found[1] != found[2]


def test_bytes_are_numbers_from_0_to_1(task):
    class Darker(Plain):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            return image - (torch.rand(()) < 0.5).byte(), label

    white = np.full((60, 1, 6, 6), 255, np.uint8)
    data = task(
        {"train": Darker(TRAIN, white), "validation": Plain(VALIDATION, white), "test": Plain(TEST, white)}, version="1"
    )
    assert torch.equal(data.test.images, torch.ones(10, 1, 6, 6))
    assert (data.mean, data.spread) == ((0.0,), (255.0,))
    (images, _) = next(data.train.batches([torch.arange(40)], np.random.default_rng(0)))
    assert set(images.unique().tolist()) == {1.0, float(torch.tensor(254.0) / 255)}
    with pytest.raises(InputError, match=r"train must have images as validation has, .* of uint8; found .* of float32"):
        task({"train": Noisy(TRAIN), "validation": Plain(VALIDATION, white), "test": Plain(TEST, white)}, version="1")


@pytest.mark.parametrize(
    ("image", "shape"),
    [
        (np.zeros((5, 4), np.uint8), (1, 5, 4)),
        (np.zeros((5, 4, 3), np.uint8), (3, 5, 4)),
        (np.zeros((3, 5, 4)), (3, 5, 4)),
        (torch.zeros(1, 5, 4), (1, 5, 4)),
        (torch.zeros(5, 5, 3), (5, 5, 3)),
    ],
)
def test_images_are_tensors_or_arrays(image, shape):
    found, label = read_item([(image, torch.tensor(2))], 0, "train")
    assert (found.shape, label) == (shape, 2)
    assert found.dtype == (np.uint8 if image.dtype == np.uint8 else np.float32)


def test_images_of_pillow_are_bytes():
    image = pytest.importorskip("PIL.Image")
    pixels = np.random.default_rng(0).integers(0, 256, (5, 4, 3), dtype=np.uint8)
    found, _ = read_item([(image.fromarray(pixels), 0)], 0, "train")
    np.testing.assert_array_equal(found, pixels.transpose(2, 0, 1))


class Broken(Plain):
    """A data set with an item that cannot be read."""

    def __getitem__(self, index):
        if index == 3:
            raise ValueError("no such file")
        return super().__getitem__(index)


class Odd(Plain):
    """A data set with an image of another shape."""

    def __getitem__(self, index):
        image, label = super().__getitem__(index)
        return image[:, : 6 - (index == 7)], label


class Whole(Plain):
    """A data set whose items are what it is given."""

    item = None

    def __getitem__(self, index):
        return self.item


def of(item):
    found = Whole()
    found.item = item
    return found


@pytest.mark.parametrize(
    ("found", "options", "complaint"),
    [
        (3, {}, r"task:datasets\(\) must return \(train, test\), .*; found a int"),
        ((1, 2, 3, 4), {}, "found 4 values"),
        ({"train": Plain()}, {}, "found the keys train"),
        ((Plain(), iter([])), {}, r"task:datasets: test must be a data set with __len__ and __getitem__"),
        ((Plain(), Plain(slice(0, 0))), {}, "task:datasets: test must hold images; found none"),
        ((Plain(), Broken()), {}, r"task:datasets: test\[\d+\] fails at .*ValueError: no such file"),
        ((Plain(), Odd()), {}, r"task:datasets: test must have images of one shape .*\(1, 5, 6\) of float32 at 7"),
        ((of(5), Plain()), {}, r"train\[0\] must be \(image, label\); found 5"),
        ((of((torch.zeros(2), 0)), Plain()), {}, r"must have an image of shape .*; found a Tensor of shape \(2,\)"),
        ((of((torch.zeros(1, 6, 6), 0.5)), Plain()), {}, "must have a whole number from 0 as its label; found 0.5"),
        ((Plain(), Plain(images=IMAGES[:, :, :5])), {}, r"train must have images as test has, \(1, 5, 6\) of float32"),
        ((Plain(), Noisy()), {}, "test must be the same each time it is read, .*; found that item 0 differs"),
        (noisy(validation=False), {"version": "1"}, r"must return \(train, validation, test\), as its training images"),
        (noisy(), {"version": "1", "train_images": 5}, "data.train_images = 5 makes no sense for task:datasets"),
        ((Plain(), Plain()), {"workers": 2}, "data.workers = 2 makes no sense .* are the same each time"),
        ((Plain(), Plain()), {"version": "1"}, "data.version = '1' makes no sense"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_line(task, found, options, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        task(found, **options)
    assert "\n" not in str(caught.value)


def test_a_data_set_larger_than_memory_is_refused(task, monkeypatch):
    monkeypatch.setattr(user_datasets, "_SHARE", 1e-12)
    with pytest.raises(InputError, match=r"must fit into memory, .*; found 60 images of 1 x 6 x 6 float32, 0\.0 GB of"):
        task((Plain(), Plain()))


def test_functions_that_fail_or_are_missing_are_refused(task):
    task((Plain(), Plain()))
    user_datasets.user_datasets.cache_clear()

    def failing():
        raise KeyError("root")

    sys.modules["task"].failing = failing
    sys.modules["task"].asking = lambda root: None
    for name, complaint in (
        ("task:failing", r"task:failing\(\) fails at .*KeyError: 'root'"),
        ("task:asking", "must take no argument; found that it requires root"),
        ("task:datasetz", r"expected 'datasetz' in .* \(did you mean 'datasets'\?\)"),
        ("nowhere:datasets", r"cannot be imported .*expected nowhere\.py in this folder"),
        ("task:", "data.name 'task:' must be MODULE:NAME"),
    ):
        with pytest.raises(InputError, match=complaint):
            load_data(name)


@pytest.mark.parametrize("workers", [0, 2])
def test_an_item_that_cannot_be_read_fails_the_run_in_one_line(task, workers):
    class Late(Noisy):
        def __getitem__(self, index):
            image, label = super().__getitem__(index)
            if index == 17:
                raise OSError("truncated")
            return image, 5 if index == 18 else label

    split = task({**noisy(), "train": Late(TRAIN)}, version="1", workers=workers).train
    for index, complaint in ((17, r"train\[17\] fails at .*OSError: truncated"), (18, "occurs in validation or test")):
        with pytest.raises(RuntimeError, match=complaint) as caught:
            list(split.batches([torch.tensor([index])], np.random.default_rng(0)))
        assert "\n" not in str(caught.value)


def test_a_reader_that_is_killed_fails_the_run(task):
    class Deadly(Noisy):
        def __getitem__(self, index):
            if index == 17 and torch.utils.data.get_worker_info():
                import os
                import signal

                os.kill(os.getpid(), signal.SIGKILL)
            return super().__getitem__(index)

    split = task({**noisy(), "train": Deadly(TRAIN)}, version="1", workers=1).train
    with pytest.raises(RuntimeError, match="DataLoader worker"):
        list(split.batches([torch.tensor([17])], np.random.default_rng(0)))


def test_a_process_that_is_a_daemon_may_read_ahead(task, monkeypatch):
    """As the workers of Dask are."""
    import multiprocessing

    split = task(noisy(), version="1", workers=1).train
    monkeypatch.setitem(multiprocessing.current_process()._config, "daemon", True)
    assert len(list(split.batches([torch.arange(3)], np.random.default_rng(0)))) == 1
    assert multiprocessing.current_process().daemon is True
    assert loader_split.LoaderSplit("task:datasets", 3, 3).crop is None
