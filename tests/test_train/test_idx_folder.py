"""The four files of a data set are found where torchvision, Kaggle, 7-Zip and EMNIST put them."""

import gzip
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from batch_infer.errors import UsageError
from train import data
from train.data import load_data

LAYOUTS = {
    "torchvision's root": lambda name: f"MNIST/raw/{name}",
    "torchvision's raw": lambda name: f"raw/{name}",
    "a folder for each file": lambda name: f"{name}/{name}",
    "Kaggle's folders beside": lambda name: f"{name.replace('-idx', '.idx')}/{name.replace('-idx', '.idx')}",
    "a dot": lambda name: name.replace("-idx", ".idx"),
    "EMNIST": lambda name: f"emnist-digits-{name.replace('t10k', 'test')}",
}


def lay_out(source, target, place, pack=bytes, ending=""):
    for file in source.iterdir():
        path = target / (place(file.name) + ending)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(pack(file.read_bytes()))


@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gzip"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_four_files_are_found(small_mnist, tmp_path, layout, packed):
    lay_out(small_mnist, tmp_path, LAYOUTS[layout], *((gzip.compress, ".gz") if packed else ()))
    found, expected = load_data(str(tmp_path)), load_data(str(small_mnist))
    np.testing.assert_array_equal(found.train.images, expected.train.images)
    np.testing.assert_array_equal(found.test.labels, expected.test.labels)


def test_digits_are_chosen_among_emnist_s_sets(small_mnist, tmp_path):
    lay_out(small_mnist, tmp_path, lambda name: f"emnist-digits-{name}")
    lay_out(small_mnist, tmp_path, lambda name: f"emnist-letters-{name}", lambda _: b"other")
    assert len(load_data(str(tmp_path)).train.images) == 3000


def test_several_sets_without_digits_are_refused(small_mnist, tmp_path):
    for name in ("a", "b"):
        lay_out(small_mnist, tmp_path, lambda file, name=name: f"{name}-{file}")
    with pytest.raises(UsageError, match=r"several data sets .*; give a folder of one"):
        load_data(str(tmp_path))


def test_a_folder_named_mnist_does_not_hide_the_data_set(tmp_path, monkeypatch):
    (tmp_path / "MNIST").mkdir()
    monkeypatch.chdir(tmp_path)
    asked = []
    monkeypatch.setattr(data, "_load_torchvision", asked.append)
    load_data("MNIST")
    assert asked == ["MNIST"]
    with pytest.raises(
        UsageError, match=r"MNIST: no labelled picture .* expected train-images-idx3-ubyte and the three"
    ):
        load_data(os.path.join(".", "MNIST"))


@pytest.fixture
def open_folder():
    """A folder that any user may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.mark.parametrize("closed", [".", "MNIST/raw", "train-images-idx3-ubyte"])
def test_a_folder_that_cannot_be_listed_is_named(open_folder, closed):
    folder = open_folder / "data"
    (folder / closed).mkdir(parents=True)
    (folder / closed).chmod(0)
    user = os.geteuid()
    try:
        if user == 0:
            os.seteuid(54_321)  # to root nothing is closed
        with pytest.raises(UsageError) as error:
            load_data(str(folder))
    finally:
        os.seteuid(user)
        (folder / closed).chmod(0o700)
    assert str(error.value) == f"{folder / closed}: cannot be listed: Permission denied"
