"""train run: the run folder, the same weights for the same seed, resuming, wrong arguments."""

import csv
import functools
import json
import os
import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from PIL import Image
from support.helpers import NICE
from support.made_once import made_once

from batch_infer.errors import ModelError
from batch_infer.inputs.arrays.idx import IdxImages, idx_bytes
from train import SoftmaxRegression, load_run, predict_image
from train.data import PACKAGED_MNIST, load_data

pytestmark = pytest.mark.slow  # trains, exports or starts many processes: not for --quick

FILES = {
    "mnist-logistic.pth", "config.json", "history.csv", "metrics.json", "confusion.csv", "history.png", "weights.png",
    "predictions.png", "confusion.png", "reliability.png", "last.pt",
}  # fmt: skip


@pytest.fixture
def train(preloaded):
    return functools.partial(preloaded.call, "train")


SMALL = ("run", "--recipe", "pixels", "--validation-size", 500, "--data")
TINY = ("run", "--recipe", "pixels", "--validation-size", 100, "--data")


def weights(folder):
    return torch.load(folder / "mnist-logistic.pth", weights_only=True)


@pytest.fixture(scope="session")
def finished_run(small_mnist, tmp_path_factory):
    """A run that was started by itself, in its folder, and what it wrote."""

    def make(folder):
        command = [sys.executable, "-m", "train", *map(str, SMALL), small_mnist, "--epochs", "4"]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr
        (folder / "stdout").write_text(result.stdout)
        (folder / "stderr").write_text(result.stderr)

    cwd = made_once(tmp_path_factory, "finished", make)
    return cwd, SimpleNamespace(stdout=(cwd / "stdout").read_text(), stderr=(cwd / "stderr").read_text())


def test_run_folder_holds_every_file_and_latest_leads_to_it(finished_run):
    cwd, _ = finished_run
    assert {path.name for path in (cwd / "runs/latest").iterdir()} == FILES
    assert (cwd / "runs/latest").is_symlink()
    assert [path.name[:7] for path in (cwd / "runs").iterdir() if not path.is_symlink()] == ["pixels-"]


def test_each_epoch_is_one_line_and_the_end_names_the_next_command(finished_run):
    _, result = finished_run
    lines = result.stdout.splitlines()
    assert [line[:13] for line in lines[1:5]] == [f"epoch   {epoch}/4  "[:13] for epoch in range(1, 5)]
    assert lines[5].startswith("✓ test accuracy ")
    assert lines[6].startswith("next: python -m export onnx --run runs/pixels-")
    assert result.stderr == ""


def test_state_dict_is_one_linear_layer(finished_run):
    cwd, _ = finished_run
    content = weights(cwd / "runs/latest")
    assert {name: (tuple(tensor.shape), tensor.dtype) for name, tensor in content.items()} == {
        "linear.weight": ((10, 784), torch.float32),
        "linear.bias": ((10,), torch.float32),
    }


def test_history_has_one_row_an_epoch_and_the_loss_falls(finished_run):
    cwd, _ = finished_run
    rows = list(csv.DictReader((cwd / "runs/latest/history.csv").open()))
    assert list(rows[0]) == [
        "epoch", "train_loss", "train_accuracy", "validation_loss", "validation_accuracy", "lr", "seconds",
    ]  # fmt: skip
    assert [row["epoch"] for row in rows] == ["1", "2", "3", "4"]
    assert float(rows[3]["train_loss"]) < float(rows[0]["train_loss"])


def test_metrics_agree_with_the_loaded_model_on_the_test_images(finished_run, small_mnist):
    cwd, _ = finished_run
    test = load_data(str(small_mnist)).test
    model = load_run(cwd / "runs/latest")
    correct = sum(predict_image(image, model) == label for image, label in zip(test.images, test.labels, strict=True))
    metrics = json.loads((cwd / "runs/latest/metrics.json").read_text())
    assert metrics["test_images"] == 500
    assert metrics["test_correct"] == correct
    confusion = list(csv.reader((cwd / "runs/latest/confusion.csv").open()))
    assert confusion[0][0] == "true\\predicted"
    assert sum(int(confusion[digit + 1][digit + 1]) for digit in range(10)) == correct


def test_pictures_are_pictures(finished_run):
    cwd, _ = finished_run
    for name in sorted(name for name in FILES if name.endswith(".png")):
        with Image.open(cwd / "runs/latest" / name) as picture:
            assert picture.format == "PNG"
            assert picture.width > 500


def test_pixels_is_exactly_one_linear_layer_on_784_pixels():
    model = SoftmaxRegression("pixels", seed=3)
    images = torch.randint(0, 256, (5, 28, 28), dtype=torch.uint8)
    expected = images.reshape(5, 784).float() / 255 @ model.linear.weight.T + model.linear.bias
    torch.testing.assert_close(model(images), expected)


def test_predict_image_takes_arrays_tensors_and_torchvisions_floats(finished_run, small_mnist):
    model = load_run(finished_run[0] / "runs/latest")
    image = load_data(str(small_mnist)).test.images[0]
    as_float = torch.from_numpy(image).unsqueeze(0).float() / 255  # what torchvision's ToTensor gives
    assert (
        predict_image(image, model) == predict_image(torch.from_numpy(image), model) == predict_image(as_float, model)
    )


@pytest.mark.parametrize("image", [np.zeros((27, 28), np.uint8), np.zeros((28, 28), np.int64), torch.ones(3, 28, 28)])
def test_predict_image_refuses_other_shapes_and_types(image):
    with pytest.raises(ValueError, match=r"expected \(28, 28\) uint8 or \(1, 28, 28\) float in 0–1"):
        predict_image(image, SoftmaxRegression("pixels"))


def test_same_seed_gives_the_same_weights_and_another_seed_others(train, tiny_mnist, tmp_path):
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        done = train(*TINY, tiny_mnist, "--epochs", 2, "--seed", seed, "--out", name, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    first, second, other = (weights(tmp_path / name)["linear.weight"] for name in "abc")
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_resuming_a_killed_run_gives_the_weights_of_an_uninterrupted_one(
    preloaded, train, small_mnist, tmp_path, optimizer
):
    run = (*SMALL, small_mnist, "--optimizer", optimizer, "--epochs", 6, "--patience", 6, "--out")
    assert train(*run, "whole", cwd=tmp_path).returncode == 0
    process = preloaded.start("train", *run, "killed", cwd=tmp_path, nice=NICE)
    while not (tmp_path / "killed/last.pt").exists():
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    result = train("run", "--resume", "--out", "killed", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    for whole, resumed in zip(weights(tmp_path / "whole").values(), weights(tmp_path / "killed").values(), strict=True):
        assert torch.equal(whole, resumed)
    assert len(list(csv.DictReader((tmp_path / "killed/history.csv").open()))) == 6


def test_resume_continues_the_latest_run_with_more_epochs(train, tiny_mnist, tmp_path):
    assert train(*TINY, tiny_mnist, "--epochs", 1, cwd=tmp_path).returncode == 0
    assert train("run", "--resume", "--epochs", 3, cwd=tmp_path).returncode == 0
    assert len(list(csv.DictReader((tmp_path / "runs/latest/history.csv").open()))) == 3


def test_quiet_prints_nothing(train, tiny_mnist, tmp_path):
    result = train(*TINY, tiny_mnist, "--epochs", 1, "--quiet", cwd=tmp_path)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_gzip_files_are_data_too(small_mnist, tmp_path):
    for name in os.listdir(small_mnist):
        subprocess.run(
            ["gzip", "-k", "-c", small_mnist / name], stdout=(tmp_path / f"{name}.gz").open("wb"), check=True
        )
    plain, compressed = load_data(str(small_mnist)), load_data(str(tmp_path))
    assert np.array_equal(plain.train.images, compressed.train.images)
    assert plain.test.sha256 == compressed.test.sha256


@pytest.fixture
def wrong(train):
    def call(cwd, *arguments):
        result = train(*arguments, cwd=cwd)
        assert result.stdout == ""
        assert "Traceback" not in result.stderr
        assert result.stderr.count("\n") == 1, result.stderr
        return result.returncode, result.stderr.strip()

    return call


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("run", "--recipe", "magic"), 2, "train: recipe 'magic': expected one of pixels, deskew"),
        (
            ("run", "--data", "nowhere"),
            2,
            "train: --data nowhere: no such file or folder; expected a folder of IDX files, one's own",
        ),
        (("run", "--epochs", "0"), 2, "train: Invalid value for '--epochs'"),
        (("run", "--optimizer", "lbfgs", "--momentum", "0.5"), 2, "train: --momentum: lbfgs has none"),
        (("run", "--validation-size", "60000"), 2, "train: --validation-size 60000: expected 1 to 59999 of the 60,000"),
        (("run", "--resume", "--seed", "4"), 2, "train: --seed: a resumed run keeps its settings; with --resume only"),
        (("run", "--resume"), 5, "train: runs/latest: no finished training run there (config.json is missing)"),
        (("run", "--device", "cuda"), 2, "train: --device cuda: torch finds no CUDA device"),
        (("fly",), 2, "train: No such command 'fly'"),
        (("run", "--fast"), 2, "train: No such option: --fast"),
    ],
)
def test_wrong_arguments_are_one_line(wrong, tmp_path, arguments, code, message):
    found, line = wrong(tmp_path, *arguments)
    assert found == code
    assert line.startswith(message)


def test_damaged_data_are_one_line_that_names_the_file(wrong, small_mnist, tmp_path):
    for name in os.listdir(small_mnist):
        (tmp_path / name).write_bytes((small_mnist / name).read_bytes())
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    code, line = wrong(tmp_path, "run", "--data", tmp_path)
    assert code == 2
    assert line == (f"train: {path}: the header says 3000 images, so 2352016 bytes; the file has 2352015")


def test_a_run_is_not_overwritten(wrong, finished_run):
    cwd, _ = finished_run
    found, line = wrong(cwd, "run", "--out", "runs/latest")
    assert found == 2
    assert line.startswith("train: runs/latest: there is a run in it already; choose another --out")


def test_a_folder_that_cannot_be_made_is_exit_6(wrong, tmp_path):
    (tmp_path / "file").touch()
    found, line = wrong(tmp_path, "run", "--out", "file/run")
    assert found == 6
    assert line.startswith("train: file/run: cannot be written: Not a directory")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: content | {"linear.bias": torch.zeros(9)}, r"linear\.bias: expected \(10,\) torch\.float32"),
        (lambda content: content | {"linear.bias": torch.zeros(10).double()}, r"linear\.bias: expected \(10,\)"),
        (
            lambda content: content | {"linear.bias": torch.full((10,), float("nan"))},
            r"linear\.bias: not all values are",
        ),
        (lambda content: content | {"extra": torch.zeros(1)}, "expected a state_dict with the keys"),
        (lambda _: print, "cannot be loaded as a checkpoint"),
    ],
)
def test_a_damaged_checkpoint_is_refused(finished_run, tmp_path, change, message):
    folder = finished_run[0] / "runs/latest"
    (tmp_path / "config.json").write_bytes((folder / "config.json").read_bytes())
    torch.save(change(weights(folder)), tmp_path / "mnist-logistic.pth")
    with pytest.raises(ModelError, match=message):
        load_run(tmp_path)


def test_packaged_mnist_is_the_whole_of_it():
    data = load_data()
    assert data.train.images.shape == (60000, 28, 28)
    assert data.test.images.shape == (10000, 28, 28)
    assert data.train.labels[:5].tolist() == [5, 0, 4, 1, 9]


def test_a_changed_packaged_file_is_noticed(monkeypatch, tmp_path):
    for path in PACKAGED_MNIST.glob("*.gz"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    images = IdxImages(str(tmp_path / "t10k-images-idx3-ubyte.gz")).read_all()
    images[0, 0, 0] ^= 1
    (tmp_path / "t10k-images-idx3-ubyte.gz").unlink()
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx_bytes(images))
    monkeypatch.setattr("train.data.PACKAGED_MNIST", tmp_path)
    with pytest.raises(Exception, match="t10k-images: not the MNIST it should be"):
        load_data()


def test_the_textbook_model_reaches_its_accuracy(textbook_run):
    metrics = json.loads((textbook_run / "metrics.json").read_text())
    assert metrics["test_images"] == 10_000
    assert metrics["test_accuracy"] >= 0.915


@pytest.mark.parametrize(
    ("arguments", "accuracy"),
    [
        (("--recipe", "pixels", "--optimizer", "lbfgs"), 0.924),
        (("--recipe", "deskew"), 0.954),
    ],
)
def test_other_textbook_recipes_reach_their_accuracy(train, tmp_path, arguments, accuracy):
    result = train("run", *arguments, "--out", "run", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    metrics = json.loads((tmp_path / "run/metrics.json").read_text())
    assert metrics["test_images"] == 10_000
    assert metrics["test_accuracy"] >= accuracy
