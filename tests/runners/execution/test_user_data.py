"""A study on training images with random transforms: the same numbers wherever and by however many processes."""

import sqlite3
import sys

import pytest

from prunestats.errors import StudyError
from prunestats.runners.data import datasets, user_datasets
from prunestats.runners.execution import worker
from prunestats.runners.execution.study_plan import plan_study
from prunestats.runners.run import run_study
from prunestats.runners.study.file import parse_study

TASK = """
import torch
from sklearn.datasets import load_digits
from torch.utils.data import Dataset


class Digits(Dataset):
    def __init__(self, rows, noise=0.0):
        found = load_digits()
        self.images, self.labels, self.noise = found.images[rows] / 16, found.target[rows], noise

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, index):
        image = torch.tensor(self.images[index], dtype=torch.float32)[None]
        if self.noise:
            image = image + self.noise * torch.randn(image.shape)
        return image, int(self.labels[index])


def sets():
    return Digits(slice(0, 200), NOISE), Digits(slice(200, 300)), Digits(slice(300, 400))


NOISE = 0.1
"""

STUDY = """
name = "random"
[data]
name = "digit_sets:sets"
workers = {workers}
[[originals]]
network = "resnet_digits"
epochs = 1
learning_rate = 0.05
batch_size = 64
[regimes]
flops = [0.5]
[[spaces]]
name = "initial"
sampler = "independent"
[population]
subnetworks = 2
[protocol]
criterion = "taylor"
taylor_batches = 2
bn_recalibration = 2
distill_weight = 0.5
proxies = true
epochs = 2
learning_rate = 0.02
batch_size = 64
"""


@pytest.fixture(autouse=True)
def task(tmp_path, monkeypatch):
    (tmp_path / "digit_sets.py").write_text(TASK)
    monkeypatch.syspath_prepend(tmp_path)
    caches = (datasets._load, user_datasets.user_datasets)
    yield tmp_path / "digit_sets.py"
    for cache in caches:
        cache.cache_clear()
    worker._prepared.clear()
    sys.modules.pop("digit_sets", None)


def results(folder, loaders, workers):
    (folder / "study.toml").write_text(STUDY.format(workers=loaders))
    db = folder / f"{loaders}-{workers}.db"
    summary = run_study(folder / "study.toml", db, workers=workers)
    assert (summary.done_now, summary.failed_now) == (2, 0)
    columns = "val_error, test_error, val_loss, test_loss, train_loss, pruned_val_error, recalibrated_val_error"
    with sqlite3.connect(db) as connection:
        return connection.execute(f"SELECT {columns} FROM run ORDER BY subnetwork_id").fetchall()


def test_a_study_has_the_same_numbers_with_any_number_of_readers_and_workers(tmp_path):
    inline = results(tmp_path, loaders=0, workers=0)
    assert results(tmp_path, loaders=2, workers=0) == inline
    assert results(tmp_path, loaders=1, workers=1) == inline


def test_the_source_of_the_function_is_part_of_the_identity(task):
    def digest(text):
        task.write_text(text)
        sys.modules.pop("digit_sets", None)
        datasets._load.cache_clear()
        user_datasets.user_datasets.cache_clear()
        (original,) = plan_study(parse_study(STUDY.format(workers=0))).originals
        assert original.network.dataset.startswith("sets-")
        return original.network.digest

    first = digest(TASK)
    assert digest(TASK.replace("import torch\n", "import torch  # as usual\n")) == first
    assert digest(TASK.replace("NOISE = 0.1", "NOISE = 0.2  ")) != first
    with pytest.raises(StudyError, match=r"data: digit_sets:sets: validation\[0\] fails at .*\.py:16 .*NameError"):
        digest(TASK.replace("torch.tensor(self", "tensor(self"))
