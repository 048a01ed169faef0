"""export onnx: the file, its metadata, the same bytes twice, and the gate."""

import csv
import functools
import json
import os
import subprocess
import sys

import numpy as np
import onnx
import pytest
import torch
from support.made_once import made_once

from batch_infer import OnnxClassifier
from batch_infer.classifier import BUNDLED_MODEL
from batch_infer.errors import GateError
from export import export_model
from export.parity import check_parity, edge_images, reference_logits
from export.to_onnx import OPSETS, build_metadata, serialize_with_metadata, to_onnx, weights_sha256
from train.data import load_data
from train.model.softmax import SoftmaxRegression
from train.recipes import DEFAULT_RECIPE, RECIPES
from train.run_folder import load_run

pytestmark = pytest.mark.slow  # trains, exports or starts many processes: not for --quick


@pytest.fixture(scope="session")
def run(textbook_run):
    return textbook_run


@pytest.fixture(scope="session")
def exported(run, tmp_path_factory):
    def make(folder):
        export_model(run, folder / "model.onnx", report=folder / "parity.csv")

    return made_once(tmp_path_factory, "exported", make) / "model.onnx"


@pytest.fixture
def export(preloaded):
    return functools.partial(preloaded.call, "export")


def test_signature_is_the_contract(exported):
    model = onnx.load(exported)
    assert model.ir_version == 10
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 18)]
    shapes = {
        value.name: (
            value.type.tensor_type.elem_type,
            [axis.dim_param or axis.dim_value for axis in value.type.tensor_type.shape.dim],
        )
        for value in (*model.graph.input, *model.graph.output)
    }
    assert shapes == {
        "images": (onnx.TensorProto.UINT8, ["batch", 28, 28]),
        "logits": (onnx.TensorProto.FLOAT, ["batch", 10]),
        "probabilities": (onnx.TensorProto.FLOAT, ["batch", 10]),
    }


def test_file_is_self_contained(exported):
    assert [name for name in os.listdir(exported.parent) if name.startswith("model.onnx")] == ["model.onnx"]
    assert all(item.data_location == onnx.TensorProto.DEFAULT for item in onnx.load(exported).graph.initializer)


def test_metadata_are_json_with_the_standard_image_keys(exported, run):
    properties = {item.key: item.value for item in onnx.load(exported).metadata_props}
    assert properties.pop("Image.BitmapPixelFormat") == "Gray8"
    assert properties.pop("Image.NominalPixelRange") == "NominalRange_0_255"
    metadata = {key: json.loads(value) for key, value in properties.items()}
    assert set(metadata) == {"schema_version", "classes", "recipe", "weights_sha256", "train", "parity", "canary"}
    assert metadata["classes"] == list(range(10))
    assert metadata["recipe"] == "pixels"
    assert metadata["weights_sha256"] == weights_sha256(load_run(run))
    assert metadata["train"]["test_accuracy"] == json.loads((run / "metrics.json").read_text())["test_accuracy"]
    assert metadata["parity"]["images"] == 10_024


def test_no_path_or_time_is_in_the_file(exported, run):
    content = exported.read_bytes()
    for forbidden in (b"/", b"site-packages", b".py", str(run.parent).encode(), b"seconds"):
        # "/" stands in no name of a node, and in no metadata
        assert forbidden not in b"".join(
            text.encode()
            for node in onnx.load_from_string(content).graph.node
            for text in (node.name, node.doc_string, *(item.value for item in node.metadata_props))
        )
        if forbidden != b"/":
            assert forbidden not in content


def test_same_weights_give_the_same_bytes_in_another_process_which_names_the_next_command(exported, run, tmp_path):
    command = [sys.executable, "-m", "export", "onnx", "--run", run, "--out", "again.onnx"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "again.onnx").read_bytes() == exported.read_bytes()
    lines = result.stdout.splitlines()
    assert lines[0].startswith("✓ logits: max |Δ| ")
    assert "(atol 1e-05, rtol 1e-05) over 10,024 images" in lines[0]
    assert lines[1] == f"✓ again.onnx: {exported.stat().st_size:,} bytes"
    assert lines[2] == "next: batch-infer ./images --model again.onnx --out preds.csv"
    assert result.stderr == ""


def test_parity_report_has_a_row_for_each_comparison(exported):
    rows = list(csv.DictReader(exported.with_name("parity.csv").open()))
    assert [(row["batch"], row["optimized"]) for row in rows] == [
        (batch, optimized) for batch in ("1", "2", "7", "256") for optimized in ("True", "False")
    ]
    assert {(row["images"], row["failed"], row["changed_classes"]) for row in rows} == {("10024", "0", "0")}


def test_classifier_gives_the_torch_models_classes_on_the_test_images(exported, run):
    model, test = load_run(run), load_data().test
    with torch.inference_mode():
        logits = model(torch.from_numpy(test.images)).numpy()
    best = np.sort(logits, axis=1)
    clear = best[:, -1] - best[:, -2] > 1e-4
    assert clear.sum() > 9_900
    assert np.array_equal(OnnxClassifier(exported).predict(test.images)[clear], logits.argmax(axis=1)[clear])


def test_one_weight_changed_between_the_two_sides_is_exit_8_and_no_file(run, preloaded, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"yesterday's")
    arguments = ("onnx", "--run", run, "--report", "parity.csv")
    result = preloaded.call("support.faults.corrupted_export", *arguments, cwd=tmp_path)
    assert result.returncode == 8
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith("export: ✗ logits: max |Δ| ")
    assert "nothing was written; the worst: " in result.stderr
    assert (tmp_path / "model.onnx").read_bytes() == b"yesterday's"
    assert sorted(os.listdir(tmp_path)) == ["model.onnx", "parity.csv"]


@pytest.mark.parametrize(
    ("recipe", "opset"),
    [*((recipe, OPSETS[0]) for recipe in sorted(RECIPES)), *((DEFAULT_RECIPE, opset) for opset in OPSETS[1:])],
)  # the operators of the other recipes are among those of the default one
def test_every_recipe_passes_the_gate_and_the_default_one_in_every_opset(recipe, opset):
    model = SoftmaxRegression(recipe, seed=1).eval()
    content = serialize_with_metadata(to_onnx(model, opset=opset), build_metadata(model, {}, {}))
    assert [item.version for item in onnx.load_from_string(content).opset_import] == [opset]
    images = np.concatenate([load_data().train.images[:300], edge_images()])
    parity = check_parity(reference_logits(model, images), content, "model.onnx", images, atol=1e-5, rtol=1e-5)
    parity.raise_if_failed(300)
    assert parity.images == 324


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_no_graph_divides_all_pixels_or_transposes_all_features(recipe):
    graph = to_onnx(SoftmaxRegression(recipe, seed=1).eval(), opset=18).graph
    kinds = [node.op_type for node in graph.node]
    bundled = {node.op_type for node in onnx.load(BUNDLED_MODEL).graph.node}
    assert set(kinds) <= bundled  # so only the default recipe, whose model that is, is tried in every opset
    assert kinds[-3:] == ["Gemm", "Transpose", "Softmax"]  # the ten logits of each image are transposed
    if recipe == "pixels":  # ONNX Runtime does the first transposition inside Gemm
        assert kinds == ["Reshape", "Cast", "Transpose", "Gemm", "Transpose", "Softmax"]
    else:
        assert kinds[-4] in {"Reshape", "Sub"}  # the last step of the features


def test_a_changed_class_fails_the_gate_even_within_a_wide_tolerance():
    model = SoftmaxRegression("pixels", seed=1).eval()
    other = SoftmaxRegression("pixels", seed=2).eval()
    content = serialize_with_metadata(to_onnx(other, opset=18), build_metadata(other, {}, {}))
    images = load_data().train.images[:50]
    parity = check_parity(reference_logits(model, images), content, "model.onnx", images, atol=1e-3, rtol=0)
    with pytest.raises(GateError, match=r"^✗ logits: .* 50 images differ; nothing was written; the worst: test image "):
        parity.raise_if_failed(50)


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("onnx",), 5, "export: runs/latest: no finished training run there (config.json is missing); type: train run"),
        (("onnx", "--opset", "9"), 2, "export: --opset 9: expected one of 18, 19, 20, 21"),
        (("onnx", "--atol", "-1"), 2, "export: Invalid value for '--atol'"),
        (("onnx", "--fast"), 2, "export: No such option: --fast"),
    ],
)
def test_wrong_arguments_are_one_line(export, tmp_path, arguments, code, message):
    result = export(*arguments, cwd=tmp_path)
    assert (result.returncode, result.stdout) == (code, "")
    assert result.stderr.startswith(message)
    assert result.stderr.count("\n") == 1


def test_an_output_folder_that_is_missing_is_exit_6(export, run, tmp_path):
    result = export("onnx", "--run", run, "--out", "no/such/model.onnx", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (6, "")
    assert result.stderr.startswith("export: no/such/model.onnx: cannot be written: No such file or directory")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", "{run}/mnist-logistic.pth"], "--out {run}/mnist-logistic.pth: is a file of the run; "),
        (["--report", "{run}/config.json"], "--report {run}/config.json: is a file of the run; "),
        (["--out", "a", "--report", "a"], "--report a: is the same file as --out; "),
        (["--out", "."], "--out .: not a file; "),
        (["--out", "pipe"], "--out pipe: not a file; "),
    ],
)
def test_what_would_replace_something_else_is_wrong_usage(export, run, tmp_path, options, message):
    os.mkfifo(tmp_path / "pipe")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    result = export("onnx", "--run", run, *(option.format(run=run) for option in options), cwd=tmp_path)
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.startswith(f"export: {message.format(run=run)}")
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before
    assert os.listdir(tmp_path) == ["pipe"]


def test_an_out_that_is_a_link_writes_its_target(run, tmp_path):
    for name in ("model.onnx", "parity.csv"):
        (tmp_path / name).symlink_to(f"real-{name}")
    assert export_model(run, tmp_path / "model.onnx", report=tmp_path / "parity.csv").parity.passed
    for name in ("model.onnx", "parity.csv"):
        assert (tmp_path / name).is_symlink()
        assert (tmp_path / f"real-{name}").stat().st_size


def test_a_failed_disk_leaves_the_old_file(run, preloaded, tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"yesterday's")
    result = preloaded.call("support.limits.short_files", "onnx", "--run", run, cwd=tmp_path)
    assert result.returncode == 6, result.stderr
    assert result.stderr.startswith("export: model.onnx: cannot be written: File too large")
    assert (tmp_path / "model.onnx").read_bytes() == b"yesterday's"
    assert os.listdir(tmp_path) == ["model.onnx"]
