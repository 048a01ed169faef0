"""OnnxClassifier: what the bundled model answers, and which files are refused as a model."""

import json
import os
from collections.abc import Callable

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from support.helpers import clean_environment

from batch_infer.classifier import BUNDLED_MODEL, OnnxClassifier
from batch_infer.errors import ModelError
from batch_infer.predictions import quantize


def refusal(path) -> str:
    with pytest.raises(ModelError) as caught:
        OnnxClassifier(path)
    message = str(caught.value)
    assert len(message.splitlines()) == 1
    return message


@pytest.fixture
def changed(tmp_path):
    """Write the bundled model after a change."""

    def write(change: Callable[[onnx.ModelProto], None]):
        model = onnx.load(BUNDLED_MODEL)
        change(model)
        path = tmp_path / "changed.onnx"
        onnx.save(model, path)
        return path

    return write


def weights_of(model: onnx.ModelProto) -> onnx.TensorProto:
    """The weights of the linear layer: the largest float tensor with ten rows or columns."""
    fitting = [
        tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2 and 10 in tensor.dims
    ]
    return max(fitting, key=lambda tensor: np.prod(tensor.dims))


def set_weights(model: onnx.ModelProto, change: Callable[[np.ndarray], None]) -> None:
    tensor = weights_of(model)
    values = numpy_helper.to_array(tensor).copy()
    change(values)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))


def test_more_than_95_percent_of_the_mnist_test_images_are_right(classifier, mnist):
    assert (classifier.predict(mnist.images) == mnist.labels).mean() > 0.95


def test_probabilities_are_rows_that_sum_to_one(classifier, few):
    probabilities = classifier.predict_proba(few.images)
    assert (probabilities.shape, probabilities.dtype) == ((300, 10), np.float32)
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-6)


def test_probabilities_are_the_softmax_of_the_logits(classifier, few):
    logits = classifier.logits(few.images).astype(np.float64)
    softmax = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.allclose(classifier.predict_proba(few.images), softmax, atol=1e-6)


def test_the_place_of_an_image_among_others_makes_no_bit_of_difference(classifier, few):
    whole = classifier.predict_proba(few.images)
    assert np.array_equal(classifier.predict_proba(few.images[::-1])[::-1], whole)
    assert np.array_equal(
        np.concatenate([classifier.predict_proba(few.images[row : row + 1]) for row in range(20)]), whole[:20]
    )


def test_a_single_image_will_do(classifier, few):
    assert np.array_equal(classifier.predict_proba(few.images[0]), classifier.predict_proba(few.images[:1]))


def test_no_images_give_no_rows(classifier, few):
    assert classifier.predict_proba(few.images[:0]).shape == (0, 10)


@pytest.mark.parametrize(
    "images", [np.zeros((1, 28, 28), np.float32), np.zeros((1, 28, 27), np.uint8), np.zeros((1, 784), np.uint8)]
)
def test_another_shape_or_dtype_is_a_value_error(classifier, images):
    with pytest.raises(ValueError, match=r"^expected images \(N, 28, 28\) uint8, got \("):
        classifier.predict_proba(images)


def test_ties_go_to_the_lowest_class(changed, few):
    def level(model):
        for tensor in model.graph.initializer:
            if tensor.name == weights_of(model).name or list(tensor.dims) in ([10], [10, 1]):
                tensor.CopyFrom(numpy_helper.from_array(np.zeros_like(numpy_helper.to_array(tensor)), tensor.name))
        entry = next(entry for entry in model.metadata_props if entry.key == "canary")
        entry.value = json.dumps({**json.loads(entry.value), "logits": np.zeros((3, 10)).tolist()})

    level_classifier = OnnxClassifier(changed(level))
    assert np.ptp(level_classifier.predict_proba(few.images)) == 0
    assert level_classifier.predict(few.images).tolist() == [0] * 300


def test_probabilities_are_rounded_to_the_nearest_ppm():
    assert quantize(np.array([[0, 1, 0.5, 0.0000004, 0.0000006]], np.float32)).tolist() == [
        [0, 1_000_000, 500_000, 0, 1]
    ]


def test_a_copy_of_the_bundled_model_elsewhere_is_taken(tmp_path, classifier):
    (tmp_path / "copy").write_bytes(BUNDLED_MODEL.read_bytes())
    assert OnnxClassifier(tmp_path / "copy").sha256 == classifier.sha256


def test_a_missing_model_is_refused(tmp_path):
    path = tmp_path / "gone.onnx"
    assert refusal(path) == f"{path}: no such model file; make one with: python -m export onnx --out {path}"


def test_a_folder_is_refused_as_model(tmp_path):
    assert refusal(tmp_path).startswith(f"{tmp_path}: not a regular file; ")


def test_a_fifo_is_refused_as_model(tmp_path):
    os.mkfifo(tmp_path / "model.onnx")
    assert ": not a regular file; " in refusal(tmp_path / "model.onnx")


def test_an_empty_model_is_refused(tmp_path):
    path = tmp_path / "empty.onnx"
    path.touch()
    assert refusal(path) == f"{path}: 0 bytes; expected a model of 1 byte to 64 MB"


def test_a_file_beyond_64_megabytes_is_refused_unread(tmp_path):
    path = tmp_path / "huge.onnx"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    assert refusal(path) == f"{path}: 1,099,511,627,776 bytes; expected a model of 1 byte to 64 MB"


@pytest.mark.parametrize("content", [b"not ONNX", b"\x89PNG\r\n\x1a\n", b"\x08\x08" * 50, bytes(1000)])
def test_what_is_not_onnx_is_refused(tmp_path, content):
    path = tmp_path / "x.onnx"
    path.write_bytes(content)
    assert refusal(path).startswith(f"{path}: ")


@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_a_model_that_is_cut_off_is_refused(tmp_path, part):
    content = BUNDLED_MODEL.read_bytes()
    path = tmp_path / "cut.onnx"
    path.write_bytes(content[: int(len(content) * part)])
    refusal(path)


def test_a_model_of_another_signature_is_refused(tmp_path):
    graph = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["y"])],
        "other",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 784])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 784])],
    )
    path = tmp_path / "other.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), path)
    assert refusal(path) == (
        f"{path}: expected input images uint8 [batch, 28, 28] and outputs logits and probabilities float32 [batch, 10]"
        "; it has input x float32 [n, 784] and output y float32 [n, 784]; make one with: python -m export onnx "
        "(of weights of your own: --weights FILE)"
    )


def test_an_input_by_another_name_is_refused(changed):
    def rename(model):
        model.graph.input[0].name = "pixels"
        for node in model.graph.node:
            node.input[:] = ["pixels" if name == "images" else name for name in node.input]

    assert (
        "; it has input pixels uint8 [batch, 28, 28] and output logits float32 [batch, 10], probabilities "
        in refusal(changed(rename))
    )


def test_a_missing_output_is_refused(changed):
    path = changed(lambda model: model.graph.output.pop())
    assert "; it has input images uint8 [batch, 28, 28] and output logits float32 [batch, 10]; make " in refusal(path)


def test_a_fixed_batch_is_refused(changed):
    def fix(model):
        model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 1

    refusal(changed(fix))


def test_a_model_without_metadata_is_refused(changed):
    path = changed(lambda model: model.ClearField("metadata_props"))
    assert refusal(path) == (f"{path}: its metadata lack 'schema_version'; make a model with: python -m export onnx")


def test_a_model_of_another_schema_version_is_refused(changed):
    def raise_version(model):
        next(entry for entry in model.metadata_props if entry.key == "schema_version").value = "2"

    path = changed(raise_version)
    assert refusal(path) == f"{path}: made by another version (schema 2, expected 1); export it again"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("position", [(0, 0), (-1, -1)])
def test_a_single_weight_that_is_not_finite_is_refused(changed, position, value):
    def spoil(weights):
        weights[position] = value

    path = changed(lambda model: set_weights(model, spoil))
    assert refusal(path) == f"{path}: its weights are not all finite; train and export it again"


def test_changed_weights_are_refused_by_the_self_test(changed):
    def scale(weights):
        weights *= 1.01

    path = changed(lambda model: set_weights(model, scale))
    assert refusal(path) == f"{path}: it does not give the known answer in its self-test; export it again"


def test_a_single_changed_weight_is_refused_by_the_self_test(changed):
    def spoil(weights):
        weights[np.unravel_index(np.abs(weights).argmax(), weights.shape)] *= -1

    path = changed(lambda model: set_weights(model, spoil))
    assert refusal(path) == f"{path}: it does not give the known answer in its self-test; export it again"


@pytest.mark.parametrize("kind", ["beside", "hard link", "absolute", "outside"])
def test_weights_in_another_file_are_refused(changed, tmp_path, kind):
    path = changed(lambda _: None)
    model = onnx.load(path)
    location = "weights.data"
    onnx.save(model, path, save_as_external_data=True, location=location, size_threshold=0)
    if kind == "hard link":
        os.link(tmp_path / location, tmp_path / "linked.data")
        location = "linked.data"
    elif kind == "absolute":
        location = os.fspath(tmp_path / location)
    elif kind == "outside":
        (tmp_path / "inner").mkdir()
        location = "../weights.data"
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = location
    path = tmp_path / ("inner" if kind == "outside" else ".") / "external.onnx"
    path.write_bytes(model.SerializeToString())
    assert refusal(path).startswith(f"{path}: the tensor 'model.linear.weight' is kept in another file (")


def test_weights_in_another_file_are_refused_also_where_the_job_runs(changed, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = changed(lambda _: None)
    onnx.save(onnx.load(path), "external.onnx", save_as_external_data=True, location="weights.data", size_threshold=0)
    assert refusal("external.onnx").startswith(
        "external.onnx: the tensor 'model.linear.weight' is kept in another file ('weights.data'); expected all "
    )


@pytest.mark.parametrize("spoiled", ["not ONNX", "weights", "missing\nname"])
def test_a_refused_model_is_exit_5_with_one_line_and_the_old_output_stays(
    changed, run, shared_files, tmp_path, spoiled
):
    out, model = tmp_path / "p.csv", tmp_path / spoiled
    out.write_text("old")
    if spoiled == "not ONNX":
        model.write_bytes(b"not ONNX")
    elif spoiled == "weights":
        model = changed(lambda model: set_weights(model, lambda weights: weights.fill(np.nan)))
    done = run(shared_files / "few.idx", "--model", model, "--out", out)
    assert (done.code, done.stdout, len(done.stderr.splitlines()), out.read_text()) == (5, "", 1, "old")


def test_the_model_may_be_named_by_the_environment(run, shared_files):
    done = run(shared_files / "few.idx", env=clean_environment(BATCH_INFER_MODEL="/gone.onnx"))
    assert (done.code, done.stderr) == (
        5,
        "batch-infer: /gone.onnx: no such model file; make one with: python -m export onnx --out /gone.onnx\n",
    )
