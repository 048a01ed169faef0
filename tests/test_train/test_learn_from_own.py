"""train run --add and --data with one's own pictures, as a user types them: training, resuming, export."""

import functools
import json

import numpy as np
import pytest
import torch
from support.helpers import save_png

from batch_infer import OnnxClassifier

pytestmark = pytest.mark.slow  # trains and exports

SMALL = ("run", "--recipe", "deskew", "--validation-size", 500, "--epochs", 3)


@pytest.fixture
def train(preloaded):
    return functools.partial(preloaded.call, "train")


@pytest.fixture(scope="module")
def own(mnist, tmp_path_factory):
    """150 digits in folders 0 to 9, dark on white; none of them is in the small data set."""
    return write(tmp_path_factory.mktemp("pictures") / "own", mnist, slice(1000, 1150))


def write(folder, mnist, places):
    for number, (image, label) in enumerate(zip(mnist.images[places], mnist.labels[places], strict=True)):
        save_png(folder / str(label) / f"{number:03}.png", 255 - image)
    return folder


def weights(folder):
    return torch.load(folder / "mnist-logistic.pth", weights_only=True)


def read(path):
    return json.loads(path.read_text())


def refusal(result):
    assert (result.stdout, "Traceback" in result.stderr) == ("", False)
    return result.returncode, result.stderr


@pytest.fixture(scope="module")
def added_run(preloaded, small_mnist, own, tmp_path_factory):
    """A run with additions in its folder, and what it printed."""
    cwd = tmp_path_factory.mktemp("added")
    done = preloaded.call("train", *SMALL, "--data", small_mnist, "--add", own, "--out", "run", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return cwd, done.stdout.splitlines()


def test_a_fifth_is_held_out_and_the_lines_compare_with_the_bundled_model(added_run, small_mnist):
    cwd, lines = added_run
    added, choice = (read(cwd / "run/config.json")[key] for key in ("added", "repetition"))
    assert added["pictures"] == added["trained_on"] + added["held_out"] == 150
    assert 15 <= added["held_out"] <= 45
    assert choice["grid"] == [1, 4]  # more would be more than a quarter of 2,500
    assert len(choice["losses"]) == len(choice["errors"]) == 2
    assert lines[1].startswith(
        f"--add: {added['trained_on']} pictures to train on, each {'once' if added['repeats'] == 1 else '4 times'} "
        "(5-fold validation of 1, 4: "
    )
    assert lines[1].endswith(f" s); {added['held_out']} held out")
    compared = read(cwd / "run/metrics.json")["comparison"]
    assert [compared[key]["images"] for key in ("test", "held_out")] == [500, added["held_out"]]
    for key, line in zip(("test", "held_out"), lines[-3:-1], strict=True):
        result = compared[key]
        name = {"test": f"{small_mnist.name}, test", "held_out": "own pictures, held out"}[key]
        assert line.startswith(f"{name} ({result['images']}): bundled model {result['bundled']['accuracy']:.2%} (")
        assert f"new one {result['new']['accuracy']:.2%}" in line
        low, high = result["new"]["wilson_95"]
        assert low < result["new"]["accuracy"] < high
    assert lines[-2].rpartition("; ")[2] in {"the bundled one is better", "too few to tell which is better"}


def test_an_export_tells_what_was_added_and_no_path(preloaded, added_run, own):
    cwd, _ = added_run
    done = preloaded.call("export", "onnx", "--run", "run", cwd=cwd)
    assert done.returncode == 0, done.stderr
    content = (cwd / "model.onnx").read_bytes()
    assert str(own).encode() not in content
    assert str(own.parent.name).encode() not in content
    told = OnnxClassifier(cwd / "model.onnx").metadata["train"]
    config, metrics = read(cwd / "run/config.json"), read(cwd / "run/metrics.json")
    assert told["config"]["added"] == config["added"]
    held_out = metrics["comparison"]["held_out"]
    assert told["added_held_out"] == {"images": held_out["images"], "accuracy": held_out["new"]["accuracy"]}


def test_a_resumed_run_gives_the_weights_of_an_uninterrupted_one(train, added_run, small_mnist, own, tmp_path):
    cwd, _ = added_run
    done = train(*SMALL[:-1], 1, "--data", small_mnist, "--add", own, "--out", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert train("run", "--resume", "--out", "run", "--epochs", 3, cwd=tmp_path).returncode == 0
    for whole, resumed in zip(weights(cwd / "run").values(), weights(tmp_path / "run").values(), strict=True):
        assert torch.equal(whole, resumed)
    before, after = (read(folder / "run/config.json") for folder in (cwd, tmp_path))
    assert before["added"] == after["added"]


def test_changed_additions_are_refused(train, small_mnist, mnist, tmp_path):
    folder = write(tmp_path / "own", mnist, slice(1000, 1040))
    run = (*SMALL[:-1], 1, "--data", small_mnist, "--add", "own", "--out", "run")
    assert train(*run, cwd=tmp_path).returncode == 0
    save_png(folder / "3" / "new.png", mnist.images[2000])
    assert refusal(train("run", "--resume", "--out", "run", "--quiet", cwd=tmp_path)) == (
        2,
        "train: --add: the pictures are not those that the run began with; start a new run\n",
    )


def test_additions_change_what_is_learnt(train, added_run, small_mnist, tmp_path):
    assert train(*SMALL, "--data", small_mnist, "--out", "run", cwd=tmp_path).returncode == 0
    assert "added" not in read(tmp_path / "run/config.json")
    assert "comparison" not in read(tmp_path / "run/metrics.json")
    alone, both = (weights(folder)["linear.weight"] for folder in (tmp_path / "run", added_run[0] / "run"))
    assert not torch.equal(alone, both)


def test_images_of_the_data_set_are_no_additions(train, small_mnist, own, tmp_path):
    done = train(
        *SMALL[:-1], 1, "--data", small_mnist, "--add", own, "--add", small_mnist / "t10k-images-idx3-ubyte",
        "--out", "run", cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0
    name = small_mnist.name
    assert done.stderr == f"train: --add: 500 of the pictures are images of {name} and left out\n"
    assert read(tmp_path / "run/config.json")["added"]["left_out"] == {"in_the_data_set": 500}


def test_few_pictures_are_too_few_to_tell(train, small_mnist, mnist, tmp_path):
    write(tmp_path / "few", mnist, slice(1000, 1012))
    done = train(*SMALL, "--data", small_mnist, "--add", "few", "--out", "run", cwd=tmp_path)
    assert done.returncode == 0
    lines = done.stdout.splitlines()
    added = read(tmp_path / "run/config.json")["added"]
    assert lines[1] == f"--add: {added['trained_on']} pictures to train on, each 4 times; {added['held_out']} held out"
    assert "too few to tell which" in lines[-2]


@pytest.fixture(scope="module")
def alone(preloaded, mnist, tmp_path_factory):
    """A run on one's own pictures alone, in its folder, and what it printed."""
    cwd = tmp_path_factory.mktemp("alone")
    np.savez(cwd / "own.npz", images=mnist.images[1000:2000], labels=mnist.labels[1000:2000])
    done = preloaded.call("train", *SMALL[:3], "--epochs", 3, "--data", "own.npz", "--out", "run", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return cwd, done.stdout.splitlines()


def test_own_pictures_alone_are_divided_by_their_content(alone):
    cwd, lines = alone
    config, metrics = read(cwd / "run/config.json"), read(cwd / "run/metrics.json")
    assert config["dataset"] == "own pictures"
    assert 100 <= config["validation_size"] <= 200
    assert 100 <= metrics["test_images"] <= 200
    assert lines[-2].startswith(f"own pictures, test ({metrics['test_images']}): bundled model ")
    assert not any("MNIST" in line for line in lines)


def test_own_pictures_alone_are_what_the_gate_compares(preloaded, alone):
    cwd, _ = alone
    done = preloaded.call("export", "onnx", "--run", "run", cwd=cwd)
    assert done.returncode == 0, done.stderr
    images = read(cwd / "run/metrics.json")["test_images"]
    assert f" over {images + 24} images" in done.stdout
    told = OnnxClassifier(cwd / "model.onnx").metadata["train"]
    assert told["config"]["dataset"] == "own pictures"
    assert told["test_accuracy"] == read(cwd / "run/metrics.json")["test_accuracy"]


def test_own_pictures_that_changed_are_not_what_the_gate_compares(preloaded, train, mnist, tmp_path):
    np.savez(tmp_path / "own.npz", images=mnist.images[1000:1500], labels=mnist.labels[1000:1500])
    assert train(*SMALL[:3], "--epochs", 1, "--data", "own.npz", "--out", "run", cwd=tmp_path).returncode == 0
    np.savez(tmp_path / "own.npz", images=mnist.images[1000:1490], labels=mnist.labels[1000:1490])
    assert refusal(preloaded.call("export", "onnx", "--run", "run", cwd=tmp_path)) == (
        2,
        "export: run: the test images of its --data are not those that it was measured on; train again\n",
    )
    assert refusal(train("run", "--resume", "--out", "run", "--quiet", cwd=tmp_path)) == (
        2,
        "train: --data: the pictures are not those that the run began with; start a new run\n",
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--add-labels", "x.csv"), "--add-labels x.csv: are the labels of --add PATH; name the pictures, too"),
        (
            ("--data-labels", "x.csv"),
            "--data-labels x.csv: goes with --data PATH of one's own pictures; leave it out",
        ),
        (("--add", "nowhere"), "nowhere: no such file or folder; check --add"),
        (
            ("--resume", "--add", "x"),
            "--add: a resumed run keeps its settings; with --resume only --out, --epochs and --quiet can be given",
        ),
    ],
)
def test_wrong_arguments_are_one_line(train, tmp_path, arguments, message):
    assert refusal(train("run", *arguments, cwd=tmp_path)) == (2, f"train: {message}\n")


def test_a_validation_size_does_not_go_with_own_pictures(train, alone):
    cwd, _ = alone
    code, message = refusal(train("run", "--data", "own.npz", "--validation-size", 50, cwd=cwd))
    assert code == 2
    assert message == (
        "train: --validation-size 50: one's own pictures are divided by their content, 70 % to train on, 15 % for "
        "validation, 15 % for the test; leave it out\n"
    )
