import numpy as np
import pytest
import torch

from prunestats.errors import InputError
from prunestats.runners import load_data
from prunestats.runners.data import pixel_moments as pixels


def test_digits_are_split_without_overlap_and_stratified():
    data = load_data("digits")
    splits = [data.train, data.validation, data.test]
    assert sum(len(split) for split in splits) == 1797
    for split in splits:
        shares = torch.bincount(split.labels, minlength=10) / len(split)
        assert ((shares - 0.1).abs() < 0.015).all()
    rows = torch.cat([split.images.flatten(1) for split in splits])
    assert len(torch.unique(rows, dim=0)) == 1797
    assert data.example_input.shape == (1, 1, 8, 8)


def test_normalisation_comes_from_the_training_split():
    data = load_data("digits")
    assert abs(float(data.train.images.mean())) < 1e-5
    assert abs(float(data.train.images.std()) - 1) < 1e-3
    assert abs(float(data.validation.images.mean())) > 1e-5


def test_the_split_seed_changes_validation_but_never_test():
    first, other = load_data("digits"), load_data("digits", split_seed=1)
    assert not torch.equal(first.validation.labels, other.validation.labels)
    assert torch.equal(first.test.labels, other.test.labels)
    assert first.digest != other.digest


def write_cifar(folder, n=20):
    rng = np.random.default_rng(0)
    for name in [f"data_batch_{i}.bin" for i in range(1, 6)] + ["test_batch.bin"]:
        records = rng.integers(0, 256, (n, 3073), dtype=np.uint8)
        records[:, 0] = np.arange(n) % 10
        records.tofile(folder / name)


def test_cifar10_in_its_binary_version(tmp_path):
    write_cifar(tmp_path)
    data = load_data("cifar10", str(tmp_path), 0.2)
    assert (len(data.train), len(data.validation), len(data.test)) == (80, 20, 20)
    first = np.fromfile(tmp_path / "test_batch.bin", np.uint8)[1:3073].reshape(3, 32, 32).astype(float)
    got = data.test.images[0].double().numpy()
    assert np.corrcoef(first[0].ravel(), got[0].ravel())[0, 1] > 1 - 1e-6


def test_arrays_of_the_users_own(tmp_path):
    path = tmp_path / "mine.npz"
    labels = np.arange(40) % 4
    images = np.random.default_rng(0).random((40, 2, 5, 5))
    np.savez(path, train_images=images, train_labels=labels, test_images=images[:8], test_labels=labels[:8])
    data = load_data("npz", str(path))
    assert (data.num_classes, len(data.train), len(data.test)) == (4, 32, 8)


def test_bytes_stay_bytes_and_are_normalised_by_the_batch(tmp_path):
    write_cifar(tmp_path)
    train = load_data("cifar10", str(tmp_path), 0.2).train
    assert train.pixels.dtype == torch.uint8
    exact = train.pixels.double()
    mean, spread = exact.mean((0, 2, 3)), exact.std((0, 2, 3), correction=0)
    members = torch.tensor([5, 3])
    images, labels = train.batch(members)
    torch.testing.assert_close(
        images.double(), (exact[members] - mean[:, None, None]) / spread[:, None, None], atol=1e-5, rtol=1e-5
    )
    assert torch.equal(labels, train.labels[members])
    assert abs(float(train.images.mean())) < 1e-5


def test_pixel_sums_are_exact_whatever_the_chunks(monkeypatch):
    images = np.random.default_rng(0).integers(0, 256, (7, 3, 5, 4), dtype=np.uint8)
    whole = pixels.moments(images)
    monkeypatch.setattr(pixels, "_CHUNK_CELLS", 130)
    for one, other in zip(whole, pixels.moments(images), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(whole[1], (images.astype(object) ** 2).sum((2, 3)).astype(np.int64))


def mine(tmp_path, **changes):
    labels = np.arange(40) % 4
    images = np.random.default_rng(0).random((40, 2, 5, 5))
    arrays = {"train_images": images, "train_labels": labels, "test_images": images[:8], "test_labels": labels[:8]}
    np.savez(tmp_path / "x.npz", **{**arrays, **changes})
    return str(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"test_labels": np.arange(8)}, "test labels must occur in training too, 0 to 3; found 7"),
        ({"test_labels": np.arange(8) / 2}, "test labels must be whole numbers"),
        ({"train_labels": np.arange(40) % 4 - 1}, "train labels must be whole numbers from 0; found -1 to 2"),
        ({"test_images": np.zeros((8, 2, 5, 6))}, "must hold images of the same shape"),
        ({"test_images": np.full((8, 2, 5, 5), np.nan)}, "images must be finite"),
        ({"test_images": np.zeros((0, 2, 5, 5)), "test_labels": np.zeros(0)}, "test split must hold images"),
        ({"test_labels": np.array([None] * 8)}, "cannot be read as one"),
    ],
)
def test_arrays_that_are_no_data_are_refused(tmp_path, changes, complaint):
    with pytest.raises(InputError, match=complaint):
        load_data("npz", mine(tmp_path, **changes))


def test_a_fraction_that_leaves_a_split_empty_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"validation_fraction 0\.01 of 40 training images leaves a split empty"):
        load_data("npz", mine(tmp_path), 0.01)


def test_the_digest_depends_on_the_content_and_not_on_the_folder(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        write_cifar(tmp_path / name)
    assert load_data("cifar10", str(tmp_path / "a")).digest == load_data("cifar10", str(tmp_path / "b")).digest


def test_a_part_of_the_training_images_is_stratified_and_changes_nothing_else(tmp_path):
    whole, part = (load_data("npz", mine(tmp_path), train_images=count) for count in (None, 14))
    assert torch.equal(whole.validation.labels, part.validation.labels)
    assert len(part.train) == 14
    assert sorted(torch.bincount(part.train.labels).tolist()) == [3, 3, 4, 4]
    assert len({load_data("npz", mine(tmp_path), train_images=count).digest for count in (None, 14, 15)}) == 3
    assert load_data("npz", mine(tmp_path), train_images=14, split_seed=1).digest != part.digest
    assert abs(float(part.train.images.mean())) < 1e-5
    with pytest.raises(InputError, match=r"train_images must be at most the 32 images that are left .*; found 33"):
        load_data("npz", mine(tmp_path), train_images=33)
    with pytest.raises(InputError, match=r"at least the number of classes in training, 4; found 3"):
        load_data("npz", mine(tmp_path), train_images=3)


@pytest.mark.parametrize("bits", [False, True])
def test_images_that_are_stored_larger_are_cropped_at_the_centre(tmp_path, bits):
    images = np.random.default_rng(0).integers(0, 256, (40, 2, 7, 7), dtype=np.uint8)
    images = images if bits else images / 255
    path = mine(tmp_path, train_images=images, test_images=images[:8])
    stored, cropped = load_data("npz", path), load_data("npz", path, image_size=4)
    assert torch.equal(cropped.test.images, stored.test.images[..., 1:5, 1:5])
    assert torch.equal(cropped.train.batch(slice(0, 3), whole=True)[0], stored.train.images[:3])
    assert cropped.example_input.shape == (1, 2, 4, 4)
    assert stored.digest != cropped.digest
    assert load_data("npz", path, image_size=7).digest == stored.digest
    with pytest.raises(InputError, match="image_size must be at most the side of the images, 7 pixels; found 8"):
        load_data("npz", path, image_size=8)


def missing_folder(tmp_path):
    return "cifar10", str(tmp_path / "nowhere")


def no_folder(tmp_path):
    return "npz", None


def half_a_download(tmp_path):
    write_cifar(tmp_path)
    (tmp_path / "data_batch_3.bin").write_bytes(b"x" * 100)
    return "cifar10", str(tmp_path)


def absent_batch(tmp_path):
    write_cifar(tmp_path)
    (tmp_path / "data_batch_4.bin").unlink()
    return "cifar10", str(tmp_path)


def not_an_npz(tmp_path):
    (tmp_path / "x.npz").write_text("hello")
    return "npz", str(tmp_path / "x.npz")


def half_an_npz(tmp_path):
    np.savez(tmp_path / "x.npz", train_images=np.zeros((2, 1, 2, 2)))
    return "npz", str(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("make", "complaint"),
    [
        (missing_folder, "found nothing at"),
        (no_folder, "data.folder must name the folder"),
        (half_a_download, "records of 3,073 bytes"),
        (absent_batch, r"data_batch_4\.bin \(binary version\) or data_batch_4 .*; not found"),
        (not_an_npz, "cannot be read as one"),
        (half_an_npz, "test_labels missing"),
        (lambda tmp_path: ("mnist", None), "data.name must be one of"),
    ],
)
def test_what_is_no_data_set_is_refused_in_one_line(tmp_path, make, complaint):
    with pytest.raises(InputError, match=complaint) as caught:
        load_data(*make(tmp_path))
    assert "\n" not in str(caught.value)
