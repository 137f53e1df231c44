"""A data set is recognised by its name, folder or file."""

import pytest

from prunestats.errors import InputError
from prunestats.runners.data.recognise import data_table


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_a_file_and_folders_are_recognised(here):
    (here / "images.npz").touch()
    for folder, file in (("c10", "data_batch_1.bin"), ("c100", "train"), ("data/cifar-10-batches-py", "data_batch_1")):
        (here / folder).mkdir(parents=True)
        (here / folder / file).touch()
    assert data_table("digits") == {"name": "digits"}
    assert data_table("images.npz") == {"name": "npz", "folder": "images.npz"}
    assert data_table("c10") == {"name": "cifar10", "folder": "c10"}
    assert data_table("c100") == {"name": "cifar100", "folder": "c100"}
    assert data_table("cifar10") == {"name": "cifar10", "folder": "data/cifar-10-batches-py"}


def test_idx_parquet_and_functions_are_recognised(here):
    image, parquet, arrow = (pytest.importorskip(name) for name in ("PIL.Image", "pyarrow.parquet", "pyarrow"))
    (here / "mnist").mkdir()
    (here / "mnist/train-images-idx3-ubyte.gz").touch()
    assert data_table("mnist") == {"name": "idx", "folder": "mnist"}
    one = "mnist/train-images-idx3-ubyte.gz"
    assert data_table(one) == {"name": "idx", "folder": one}
    assert data_table("task:datasets") == {"name": "task:datasets"}
    for folder, sizes, table in (("same", [(8, 9)] * 2, {}), ("several", [(90, 80), (70, 99)], {"image_size": 64})):
        (here / folder / "data").mkdir(parents=True)
        images = []
        for size in sizes:
            image.new("RGB", size).save(here / "one.png")
            images.append((here / "one.png").read_bytes())
        for split in ("train", "test"):
            columns = arrow.table({"image": images, "label": [0, 1]})
            parquet.write_table(columns, here / folder / "data" / f"{split}-00000-of-00001.parquet")
        assert data_table(folder) == {"name": "parquet", "folder": folder, **table}
    assert data_table("same", 6)["image_size"] == 6


@pytest.mark.parametrize(("size", "side"), [((30, 40), 30), ((640, 480), 64)])
def test_a_folder_of_images_has_their_shorter_side_up_to_a_limit(here, size, side):
    image = pytest.importorskip("PIL.Image")
    (here / "photos/train/cat").mkdir(parents=True)
    (here / "photos/train/cat/.hidden").touch()
    image.new("RGB", size).save(here / "photos/train/cat/one.png")
    assert data_table("photos") == {"name": "images", "folder": "photos", "image_size": side}
    assert data_table("photos", 24)["image_size"] == 24


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ("absent.npz", "found 'absent.npz', nothing there"),
        ("net.py", "found 'net.py', a file of another kind"),
        ("cifar100", "expected its files in one of cifar100, cifar-100-binary, .*: give their folder"),
        (".", r"expected CIFAR's files, IDX files, train\*\.parquet .*; found none of them in '\.'"),
    ],
)
def test_anything_else_is_refused_in_one_line(here, given, complaint):
    (here / "net.py").touch()
    with pytest.raises(InputError, match=complaint):
        data_table(given)
