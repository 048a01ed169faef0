"""export onnx --weights: layers that other programs saved, their scaling found or given, and what is refused."""

import functools
import json
import pickle

import numpy as np
import pytest
import torch
from torch import nn

from batch_infer import OnnxClassifier
from batch_infer.errors import ModelError, UsageError
from export import export_model
from export.scaling import COMMON, find_scaling, fold, given_scaling
from export.source import WeightsSource, select_source
from export.weights import Layer, load_layer
from train.data import load_data

SCALINGS = {scaling.name: scaling for scaling in COMMON}


@pytest.fixture(scope="module")
def data():
    return load_data()


@pytest.fixture(scope="module")
def trained(data):
    """Train as tutorials do, by the name of the scaling: Adam, one pass over 20,000 images."""

    @functools.cache
    def train(name: str) -> nn.Sequential:
        scaling = SCALINGS[name]
        torch.manual_seed(0)
        model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
        optimizer = torch.optim.Adam(model.parameters(), 1e-3)
        pixels = (torch.from_numpy(data.train.images[:20_000]).float() / 255 - scaling.mean) / scaling.std
        labels = torch.from_numpy(data.train.labels[:20_000]).long()
        for part, answers in zip(pixels.split(64), labels.split(64), strict=True):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(part), answers).backward()
            optimizer.step()
        return model

    return train


@pytest.mark.slow
@pytest.mark.parametrize("name", SCALINGS)
def test_the_scaling_of_the_training_is_found(trained, data, name):
    linear = trained(name)[1]
    found, scores = find_scaling(Layer(linear.weight.detach(), linear.bias.detach(), ""), data.train)
    assert found.name == name
    assert len(scores) == 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["/255", "Normalize(0.1307, 0.3081)", "raw 0 to 255"])
def test_an_exported_file_answers_as_the_tutorials_model_did(trained, data, tmp_path, name):
    model, scaling = trained(name), SCALINGS[name]
    torch.save(model.state_dict(), tmp_path / "tutorial.pth")
    result = export_model(WeightsSource(tmp_path / "tutorial.pth"), tmp_path / "model.onnx")
    classifier, images = OnnxClassifier(tmp_path / "model.onnx"), data.test.images
    with torch.inference_mode():
        logits = model((torch.from_numpy(images).float() / 255 - scaling.mean) / scaling.std).numpy()
    best = np.sort(logits, axis=1)
    clear = best[:, -1] - best[:, -2] > 1e-3
    assert np.array_equal(classifier.predict(images)[clear], logits.argmax(axis=1)[clear])
    accuracy = (classifier.predict(images) == data.test.labels).mean()
    assert accuracy > 0.85
    assert result.lines == (
        f"✓ {tmp_path / 'tutorial.pth'}: 1.weight (10, 784), 1.bias (10,)",
        result.lines[1],
        f"✓ MNIST test accuracy {accuracy:.2%} (how the weights were trained is unknown)",
    )
    assert result.lines[1].startswith(f"✓ pixels scaled as found on training images: {name} (/255 ")
    assert result.warning is None
    assert json.loads(json.dumps(classifier.metadata["train"])) == {
        "training": "unknown: exported from weights alone (--weights)",
        "input_mean": scaling.mean,
        "input_std": scaling.std,
        "test_accuracy": pytest.approx(accuracy, abs=1e-3),
    }


@pytest.mark.slow
def test_a_wrong_scaling_that_was_given_is_a_warning(trained, tmp_path):
    torch.save(trained("Normalize(0.5, 0.5)").state_dict(), tmp_path / "w.pth")
    source = WeightsSource(tmp_path / "w.pth", input_mean=0.0, input_std=1.0)
    result = export_model(source, tmp_path / "model.onnx")
    assert result.lines[1] == "✓ pixels scaled as given: Normalize(0, 1)"
    assert result.warning is not None
    assert result.warning.startswith("warning: MNIST test accuracy ")
    assert ", below 85%: " in result.warning


def test_folding_gives_the_same_logits():
    layer = Layer(torch.randn(10, 784), torch.randn(10), "")
    scaling = SCALINGS["Normalize(0.1307, 0.3081)"]
    folded, pixels = fold(layer, scaling), torch.rand(5, 784)
    expected = (pixels - 0.1307) / 0.3081 @ layer.weight.T + layer.bias
    torch.testing.assert_close(pixels @ folded.weight.T + folded.bias, expected, atol=1e-3, rtol=1e-4)


WEIGHT, BIAS = torch.arange(7840.0).reshape(10, 784), torch.arange(10.0)


@pytest.mark.parametrize(
    "content",
    [
        {"linear.weight": WEIGHT, "linear.bias": BIAS},
        {"0.weight": WEIGHT, "0.bias": BIAS},
        {"module.fc.bias": BIAS, "module.fc.weight": WEIGHT},
        {"W": nn.Parameter(WEIGHT), "b": nn.Parameter(BIAS)},
        {"weights": WEIGHT.T, "bias": BIAS},  # torch's own tutorial, x @ weights + bias
        {"weight": WEIGHT.double(), "bias": BIAS.double()},
        {"epoch": 3, "model_state_dict": {"weight": WEIGHT, "bias": BIAS}, "optimizer_state_dict": {"state": {}}},
    ],
)
@pytest.mark.parametrize("new", [True, False])
def test_layers_under_any_names_are_taken(tmp_path, content, new):
    torch.save(content, tmp_path / "w.pth", _use_new_zipfile_serialization=new)
    layer = load_layer(tmp_path / "w.pth", 784)
    assert torch.equal(layer.weight, WEIGHT)
    assert torch.equal(layer.bias, BIAS)


EXPECTED = "expected one linear layer, a matrix (10, 784) and a vector (10,), under any names; found "
SAVE = "save only its weights: torch.save(model.state_dict(), 'weights.pth')"
REFUSED = {
    "another number of classes": ({"w": torch.zeros(26, 784), "b": torch.zeros(26)}, f"{EXPECTED}w (26, 784), b (26,)"),
    "another size": ({"w": torch.zeros(10, 1024), "b": BIAS}, f"{EXPECTED}w (10, 1024), b (10,)"),
    "no bias": ({"w": WEIGHT}, f"{EXPECTED}w (10, 784)"),
    "two layers": (
        nn.Sequential(nn.Linear(784, 32), nn.Linear(32, 10)).state_dict(),
        f"{EXPECTED}0.weight (32, 784), ",
    ),
    "convolutions": (nn.Sequential(nn.Conv2d(1, 8, 3)).state_dict(), f"{EXPECTED}0.weight (8, 1, 3, 3), 0.bias (8,)"),
    "a whole model": (
        nn.Linear(784, 10),
        "a pickle of more than weights (found torch.nn.modules.linear.Linear), which",
    ),
    "a tensor": (WEIGHT, f"expected a state_dict of one linear layer; found Tensor; {SAVE}"),
    "no tensors": ({"epoch": 3}, f"expected a state_dict of one linear layer; found a dictionary of epoch; {SAVE}"),
    "not finite": ({"w": WEIGHT * float("nan"), "b": BIAS}, "w: not all values are finite; "),
    "integers": ({"w": WEIGHT.long(), "b": BIAS}, "w: expected dense floating-point numbers; found torch.int64"),
    "sparse": ({"w": WEIGHT.to_sparse(), "b": BIAS}, "w: expected dense floating-point numbers; found torch.float32"),
}


def refusal(path) -> str:
    with pytest.raises(ModelError) as caught:
        load_layer(path, 784)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("kind", REFUSED)
def test_other_checkpoints_are_refused_with_what_was_found(tmp_path, kind):
    content, expected = REFUSED[kind]
    torch.save(content, tmp_path / "w.pth")
    assert refusal(tmp_path / "w.pth").startswith(f"{tmp_path / 'w.pth'}: {expected}")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            pickle.dumps([1]),
            "expected a state_dict of torch.save; found a pickle, which is never read, as it may run p",
        ),
        (
            b"<html>",
            "expected a state_dict of torch.save; found an HTML page (a login, an error?), not the file itself; ",
        ),
        (b"\x93NUMPY\1\0", "expected a state_dict of torch.save; found a NumPy array; "),
        (b"hello", "expected a state_dict of torch.save, which this is not, or it is damaged; "),
        (b"", "expected a state_dict of torch.save, which this is not, or it is damaged; "),
    ],
)
def test_other_files_are_refused_with_what_was_found(tmp_path, content, expected):
    (tmp_path / "w.pth").write_bytes(content)
    assert refusal(tmp_path / "w.pth").startswith(f"{tmp_path / 'w.pth'}: {expected}")


def test_a_missing_file_and_a_folder_are_refused(tmp_path):
    assert refusal(tmp_path / "no.pth") == f"{tmp_path / 'no.pth'}: no such file; check --weights"
    assert refusal(tmp_path) == f"{tmp_path}: a folder; a run folder is given by --run"


def test_a_file_as_run_folder_is_refused_with_the_option_for_it(tmp_path):
    torch.save({"w": WEIGHT, "b": BIAS}, tmp_path / "w.pth")
    with pytest.raises(ModelError) as caught:
        export_model(tmp_path / "w.pth", tmp_path / "model.onnx")
    path = tmp_path / "w.pth"
    assert str(caught.value) == f"{path}: a file; expected a run folder; for weights alone: --weights {path}"


def test_a_name_that_is_too_long_is_refused(tmp_path):
    assert refusal(tmp_path / ("x" * 300)).endswith(": cannot be read: File name too long")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"run": "r", "weights": "w"}, "--run and --weights: give one of them"),
        ({"recipe": "pixels"}, "--recipe goes with --weights; a run folder knows its own"),
        ({"input_std": 1.0}, "--input-std goes with --weights; a run folder knows its own"),
    ],
)
def test_options_that_do_not_go_together_are_wrong_usage(options, message):
    with pytest.raises(UsageError) as caught:
        select_source(**{"run": None, "weights": None, **options})
    assert str(caught.value) == message


@pytest.mark.parametrize(("mean", "std"), [(0.1, None), (None, 0.3), (33.3, 78.6), (0.5, 0.0), (float("nan"), 1.0)])
def test_a_mean_or_standard_deviation_of_other_units_is_wrong_usage(mean, std):
    with pytest.raises(UsageError, match=r"^--input-"):
        given_scaling(mean, std)
