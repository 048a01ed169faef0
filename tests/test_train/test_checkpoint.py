"""Damaged and hostile run folders: one line, exit 5, nothing of torch's on stderr, nothing written."""

import copy
import dataclasses
import functools
import io
import json
import os
import re
import warnings
import zipfile

import pytest
import torch
from support.helpers import clean_environment
from support.made_once import made_once

from batch_infer.errors import ModelError
from train import load_run
from train.run_folder import RunFolder
from train.trainer import Config, fit, prepare

pytestmark = pytest.mark.slow  # trains first

KEPT = "mnist-logistic.pth", "config.json", "last.pt"


@pytest.fixture(scope="session")
def command(preloaded):
    return functools.partial(preloaded.call, env=clean_environment())


@pytest.fixture(scope="session")
def trained(command, small_mnist, tmp_path_factory):
    """The files of small finished runs, by optimizer: name → bytes."""

    def make(folder):
        for optimizer in ("sgd", "lbfgs"):
            options = ("--recipe", "pixels", "--epochs", 2, "--validation-size", 500, "--optimizer", optimizer)
            done = command("train", "run", *options, "--data", small_mnist, "--out", optimizer, cwd=folder)
            assert done.returncode == 0, done.stderr

    folder = made_once(tmp_path_factory, "trained", make)
    return {
        optimizer: {name: (folder / optimizer / name).read_bytes() for name in KEPT} for optimizer in ("sgd", "lbfgs")
    }


@pytest.fixture
def run_folder(trained, tmp_path):
    """Write a run folder with some files changed."""

    def write(name="run", optimizer="sgd", **changed):
        folder = tmp_path / name
        folder.mkdir()
        for file, content in {**trained[optimizer], **changed}.items():
            (folder / file).write_bytes(content)
        return folder

    return write


@pytest.fixture(scope="module")
def prepared(trained):
    """What a run of each optimizer is trained on."""
    return {
        optimizer: prepare(Config.from_dict({**json.loads(files["config.json"]), "device": "cpu"}))
        for optimizer, files in trained.items()
    }


@pytest.fixture
def resume(prepared):
    """Continue a run in this process, for one more epoch."""

    def call(folder, optimizer="sgd"):
        inputs = copy.deepcopy(prepared[optimizer])
        hyper = dataclasses.replace(inputs.config.hyperparameters, epochs=3)
        inputs = dataclasses.replace(inputs, config=dataclasses.replace(inputs.config, hyperparameters=hyper))
        return fit(inputs, RunFolder(folder), resume=True)

    return call


def saved(content, **options) -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.save(content, buffer, **options)
    return buffer.getvalue()


def state_dict(weight=None, bias=None) -> dict:
    return {
        "linear.weight": torch.zeros(10, 784) if weight is None else weight,
        "linear.bias": torch.zeros(10) if bias is None else bias,
    }


class Code:
    def __reduce__(self):
        return os.system, ("echo harm",)


def nested() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.nested.nested_tensor([torch.zeros(784), torch.zeros(3)])


def quantized() -> torch.Tensor:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.quantize_per_tensor(torch.zeros(10, 784), 0.1, 0, torch.qint8)


def claiming(size: int) -> bytes:
    """A checkpoint with an entry that says that it unpacks to so many bytes."""
    buffer = io.BytesIO(saved(state_dict()))
    with zipfile.ZipFile(buffer, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("archive/data/9", bytes(1000))
        archive.infolist()[-1].file_size = size
    return buffer.getvalue()


DENSE = "linear.weight: expected (10, 784) torch.float32, dense, with its values; found "
WEIGHTS = {
    "sparse": (state_dict(torch.eye(10, 784).to_sparse()), DENSE + "torch.float32, torch.sparse_coo, on cpu"),
    "compressed rows": (state_dict(torch.eye(10, 784).to_sparse_csr()), DENSE + "torch.float32, torch.sparse_csr"),
    "without values": (
        state_dict(torch.zeros(10, 784, device="meta")),
        DENSE + "torch.float32, torch.strided, on meta",
    ),
    "quantized": (state_dict(quantized()), None),
    "nested": (state_dict(nested()), None),
    "double": (state_dict(torch.zeros(10, 784, dtype=torch.float64)), DENSE + "(10, 784) torch.float64"),
    "half": (state_dict(torch.zeros(10, 784, dtype=torch.bfloat16)), DENSE + "(10, 784) torch.bfloat16"),
    "complex": (state_dict(torch.zeros(10, 784, dtype=torch.complex64)), DENSE + "(10, 784) torch.complex64"),
    "integers": (state_dict(torch.zeros(10, 784, dtype=torch.int64)), DENSE + "(10, 784) torch.int64"),
    "booleans": (state_dict(torch.zeros(10, 784, dtype=torch.bool)), DENSE + "(10, 784) torch.bool"),
    "transposed": (state_dict(torch.zeros(784, 10)), DENSE + "(784, 10) torch.float32"),
    "one more dimension": (state_dict(torch.zeros(10, 784, 1)), DENSE + "(10, 784, 1) torch.float32"),
    "a list": (state_dict([[0.0] * 784] * 10), DENSE + "a value of the type list"),
    "nothing": (state_dict(weight=7), DENSE + "a value of the type int"),
    "not finite": (state_dict(torch.full((10, 784), float("nan"))), "linear.weight: not all values are finite"),
    "infinite": (state_dict(bias=torch.full((10,), float("-inf"))), "linear.bias: not all values are finite"),
    "a key too many": ({**state_dict(), "x": torch.zeros(1)}, "expected a state_dict with the keys linear.weight"),
    "a key too few": ({"linear.weight": torch.zeros(10, 784)}, "expected a state_dict with the keys linear.weight"),
    "keys that are numbers": ({1: torch.zeros(1), 2: None}, "expected a state_dict with the keys linear.weight"),
    "a tensor": (torch.zeros(10, 784), "expected a state_dict with the keys linear.weight"),
    "code": (Code(), "cannot be loaded as a checkpoint"),
    "code in a state_dict": ({**state_dict(), "x": Code()}, "cannot be loaded as a checkpoint"),
}


def test_checkpoints_that_are_none_are_one_line_each_and_torch_says_nothing(command, run_folder, tmp_path):
    folders = {
        kind: run_folder(f"{number}", **{"mnist-logistic.pth": saved(content)})
        for number, (kind, (content, _)) in enumerate(WEIGHTS.items())
    }
    done = command("support.load_runs", *folders.values(), cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    lines = dict(zip(folders, done.stdout.splitlines(), strict=True))
    for kind, (_, reason) in WEIGHTS.items():
        start = f"{folders[kind] / 'mnist-logistic.pth'}: {reason or ''}"
        assert lines[kind].startswith(start), kind
        assert "train again" in lines[kind], kind


@pytest.mark.parametrize(
    "content",
    [
        state_dict(torch.zeros(784, 10).T),  # not contiguous
        state_dict(torch.zeros(1, 784).expand(10, 784)),
        state_dict(torch.nn.Parameter(torch.zeros(10, 784))),
    ],
)
def test_other_ways_to_keep_the_same_values_are_taken(run_folder, content):
    load_run(run_folder(**{"mnist-logistic.pth": saved(content)}))


def test_the_older_format_of_torch_is_taken(run_folder):
    load_run(run_folder(**{"mnist-logistic.pth": saved(state_dict(), _use_new_zipfile_serialization=False)}))


def test_a_checkpoint_that_unpacks_to_2_gb_is_refused_unread(run_folder):
    folder = run_folder(**{"mnist-logistic.pth": claiming(2 << 30)})
    with pytest.raises(ModelError, match=r"mnist-logistic\.pth: 2,147,\d+,\d+ bytes; expected a checkpoint of 1 GB"):
        load_run(folder)


@pytest.mark.parametrize("file", ["mnist-logistic.pth", "config.json"])
def test_a_fifo_in_a_run_folder_is_refused_at_once(run_folder, file):
    folder = run_folder()
    (folder / file).unlink()
    os.mkfifo(folder / file)
    with pytest.raises(ModelError, match=file):
        load_run(folder)


@pytest.mark.parametrize("part", [0.0, 0.3, 0.9, 0.99])
@pytest.mark.parametrize("file", KEPT)
def test_a_file_that_is_cut_off_is_a_model_error(trained, run_folder, resume, file, part):
    content = trained["sgd"][file]
    folder = run_folder(**{file: content[: int(len(content) * part)]})
    with pytest.raises(ModelError, match=rf"{file}: ") as caught:
        resume(folder) if file == "last.pt" else load_run(folder)
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("file", KEPT)
def test_a_file_that_is_cut_off_is_one_line_of_train_and_export(command, trained, run_folder, tmp_path, file):
    folder = run_folder(**{file: trained["sgd"][file][:-30]})
    before = {path: path.read_bytes() for path in folder.iterdir()}
    if file == "last.pt":
        done = command("train", "run", "--resume", "--quiet", "--out", folder, "--epochs", 3, cwd=tmp_path)
    else:
        done = command("export", "onnx", "--run", folder, cwd=tmp_path)
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (5, "", 1), done.stderr
    assert f"{folder / file}: " in done.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe", "cannot be read: "),
        (b"[" * 100_000, "cannot be read: nested too deeply"),
        (b'{"recipe": ' + b"[" * 50 + b"]" * 50 + b"}", "cannot be read: nested more than 20 deep"),
        (b'{"recipe": "pixels", "lr": NaN}', "cannot be read: NaN is not a number in JSON"),
        (b'{"recipe": "pixels", "lr": 1e999}', "cannot be read: a number is too large"),
        (b'{"seed": ' + b"9" * 5000 + b"}", "cannot be read: nested too deeply, or a number too long"),
        (b"[]", "expected a JSON object"),
        (b'{"recipe": 7}', "names no recipe"),
        (b'{"recipe": "none"}', "recipe 'none': expected one of"),
        (b'{"recipe": "pixels", "data": {}}', "data is {}; expected a name or null"),
        (b" " * (5 << 20), "expected a file of 4 MB at most"),
    ],
)
def test_a_damaged_config_is_one_line(run_folder, content, reason):
    folder = run_folder(**{"config.json": content})
    with pytest.raises(ModelError) as caught:
        load_run(folder)
    assert str(caught.value).startswith(f"{folder / 'config.json'}: {reason}")


CONFIGS = {
    "seed": ("7", "seed is '7'; expected int"),
    "validation_size": (True, "validation_size is True; expected int"),
    "copies": (10**9, "copies has a value that `train run` would not take"),
    "device": ("tpu", "device has a value that `train run` would not take"),
    "outliers": (None, "outliers is None; expected float"),
    "hyperparameters": ([], "expected an object for Hyperparameters, found list"),
}


@pytest.mark.parametrize("key", CONFIGS)
def test_a_config_of_wrong_types_is_refused(trained, key):
    value, reason = CONFIGS[key]
    config = json.loads(trained["sgd"]["config.json"])
    with pytest.raises(ValueError, match=re.escape(reason)):
        Config.from_dict({**config, key: value})


def test_a_config_of_wrong_types_is_one_line_of_resume(command, trained, run_folder, tmp_path):
    config = json.loads(trained["sgd"]["config.json"])
    folder = run_folder(**{"config.json": json.dumps({**config, "seed": "7"}).encode()})
    done = command("train", "run", "--resume", "--out", folder, "--epochs", 3, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr == f"train: {folder / 'config.json'}: seed is '7'; expected int; start a new run\n"


def change(*path, to):
    """A change of something deep in a checkpoint."""

    def apply(state):
        inner = state
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = to
        return state

    return apply


STATES = {
    "a list": ("sgd", lambda _: [], "not what `train run` wrote (expected linear, optimizer, history and best)"),
    "no history": ("sgd", change("history", to=[]), "not what `train run` wrote (it has no history)"),
    "history of text": (
        "sgd",
        change("history", 0, "validation_loss", to="low"),
        "not what `train run` wrote (validation_loss is 'low'; expected float)",
    ),
    "weights of another shape": (
        "sgd",
        change("linear", "weight", to=torch.zeros(3)),
        "weight: expected (10, 784) torch.float32, dense, with its values; found (3,) torch.float32",
    ),
    "best weights not finite": (
        "sgd",
        change("best", "bias", to=torch.full((10,), float("inf"))),
        "bias: not all values are finite",
    ),
    "no optimizer": ("sgd", change("optimizer", to=None), "the run cannot be continued from its last.pt ("),
    "momentum of another shape": (
        "sgd",
        change("optimizer", "sgd", "state", 0, "momentum_buffer", to=torch.zeros(7)),
        "the run cannot be continued from its last.pt (",
    ),
    "shuffle of text": (
        "sgd",
        change("optimizer", "shuffle", to="x"),
        "the run cannot be continued from its last.pt (",
    ),
    "curvature of another shape": (
        "lbfgs",
        change("optimizer", "lbfgs", "state", 0, "d", to=torch.zeros(7)),
        "the run cannot be continued from its last.pt (",
    ),
}


@pytest.mark.parametrize("kind", STATES)
def test_a_damaged_state_is_a_model_error(trained, run_folder, resume, kind):
    optimizer, damage, reason = STATES[kind]
    state = torch.load(io.BytesIO(trained[optimizer]["last.pt"]), weights_only=True)
    folder = run_folder(optimizer=optimizer, **{"last.pt": saved(damage(state))})
    with pytest.raises(ModelError, match=re.escape(reason)) as caught:
        resume(folder, optimizer)
    assert len(str(caught.value).splitlines()) == 1
    assert (folder / "mnist-logistic.pth").read_bytes() == trained[optimizer]["mnist-logistic.pth"]


@pytest.mark.parametrize("optimizer", ["sgd", "lbfgs"])
def test_an_undamaged_state_is_continued(run_folder, resume, optimizer):
    assert resume(run_folder(optimizer=optimizer), optimizer).metrics["test_images"] == 500
