"""Models that lie or attack: exit 5, one line that says what is wrong, at once, and yesterday's files stay."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import onnx
import pytest
from support.helpers import clean_environment, read_rows, save_png, support_environment, support_program
from support.hostile_model_cases import ATTACKING, LYING
from support.hostile_models import (
    endless_loop,
    lies_where_the_first_pixel_is_77,
    model,
    shrinks_where_the_first_pixel_is_77,
    slow_model,
)

from batch_infer.classifier import OnnxClassifier
from batch_infer.classifier.model_graph import check_graph
from batch_infer.classifier.operators import ALLOWED_OPERATORS, FLOAT_OPERATORS, SAME_TYPE_OPERATORS
from batch_infer.errors import ModelError
from batch_infer.self_test import trial_batch

HOSTILE = {**LYING, **ATTACKING}


def published(folder: Path) -> dict[str, tuple[bytes, int]]:
    """What stands in a folder, with its times, but for what every run writes."""
    return {
        path.name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in folder.iterdir()
        if not path.name.endswith((".run.json", ".lock"))
    }


@pytest.fixture(scope="module")
def yesterday(shared_files, tmp_path_factory):
    """A folder with the outputs of a good run."""
    folder = tmp_path_factory.mktemp("yesterday")
    command = [sys.executable, "-m", "batch_infer", shared_files / "few.idx", "--out", folder / "p.csv"]
    subprocess.run(command, check=True, env=clean_environment(), capture_output=True)
    return folder


def test_the_honest_model_that_the_others_are_made_of_is_taken(tmp_path, few):
    path = tmp_path / "honest.onnx"
    onnx.save(model(), path)
    assert OnnxClassifier(path).predict_proba(few.images).shape == (300, 10)


@pytest.mark.parametrize("field", ["type", "shape"])
def test_a_model_that_leaves_it_to_onnx_runtime_to_find_an_outputs_shape_is_taken(field, few):
    honest = model()
    kind = honest.graph.output[0] if field == "type" else honest.graph.output[0].type.tensor_type
    kind.ClearField(field)
    assert OnnxClassifier("x", model_bytes=honest.SerializeToString()).predict(few.images).shape == (300,)


@pytest.mark.slow
@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_model_is_exit_5_in_one_line_and_yesterdays_files_stay(kind, run, shared_files, yesterday, tmp_path):
    make, reason = HOSTILE[kind]
    path, before = tmp_path / "hostile.onnx", published(yesterday)
    path.write_bytes(make())
    done = run(shared_files / "few.idx", "--model", path, "--out", yesterday / "p.csv")
    assert (done.code, done.stdout, len(done.stderr.splitlines())) == (5, "", 1), done
    assert done.stderr.startswith(f"batch-infer: {path}: {reason}")
    assert "export" in done.stderr
    assert published(yesterday) == before


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["a constant of 4 TB", "sigmoid", "deeply nested JSON", "eleven columns"])
def test_a_hostile_model_is_refused_by_workers_and_by_model_info_too(kind, run, few, tmp_path):
    path = tmp_path / "hostile.onnx"
    path.write_bytes(HOSTILE[kind][0]())
    images = np.concatenate([few.images] * 20)
    source = tmp_path / "many.idx"
    source.write_bytes(b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in images.shape) + images.tobytes())
    for options in ((source, "--workers", 2, "--out", tmp_path / "p.csv"), ("--model-info",)):
        done = run(*options, "--model", path)
        assert (done.code, done.stdout, len(done.stderr.splitlines())) == (5, "", 1), done


def test_every_cut_of_a_model_is_refused():
    content = model().SerializeToString()
    for size in range(0, len(content) - 1, 97):
        with pytest.raises(ModelError, match=r"^cut\.onnx: "):
            check_graph(content[:size], "cut.onnx")


@pytest.mark.slow
def test_flipped_bytes_are_a_model_error_or_a_model():
    content = bytearray(model().SerializeToString())
    generator = np.random.default_rng(0)
    structure = [place for place in range(len(content)) if place < 200 or place > len(content) - 2000]
    refused, lines = 0, []
    for place in generator.choice(structure, 300):
        flipped = content.copy()
        flipped[place] ^= 1 << int(generator.integers(8))
        try:
            OnnxClassifier("x", model_bytes=bytes(flipped))
        except ModelError as error:
            lines += str(error).splitlines()
            refused += 1
    assert refused > 50
    assert len(lines) == refused


@pytest.mark.parametrize("lie", [50.0, -0.25, float("nan"), float("inf"), 1.001])
def test_a_model_that_lies_about_one_picture_costs_that_picture_its_row(lie, run, few, tmp_path):
    path, out = tmp_path / "sometimes.onnx", tmp_path / "p.csv"
    path.write_bytes(lies_where_the_first_pixel_is_77(lie))
    images = few.images[:3].copy()
    images[1, 0, 0] = 77
    for number, image in enumerate(images):
        save_png(tmp_path / "in" / f"{number}.png", image)
    done = run(tmp_path / "in", "--model", path, "--out", out, "--fit", "never", "--probabilities")
    assert done.code == 3, done
    assert [(row["status"], row["error"]) for row in read_rows(out)] == [
        ("ok", ""),
        ("error", "non_finite"),
        ("ok", ""),
    ]
    assert out.read_bytes().isascii()
    assert "1.png: non_finite (the model's outputs are not probabilities: " in done.stderr


def test_a_model_that_fails_in_mid_job_is_exit_5_in_one_line(run, few, tmp_path):
    path, out = tmp_path / "shrinks.onnx", tmp_path / "p.csv"
    path.write_bytes(shrinks_where_the_first_pixel_is_77())
    image = few.images[0].copy()
    image[0, 0] = 77
    save_png(tmp_path / "in" / "0.png", image)
    out.write_text("old")
    done = run(tmp_path / "in", "--model", path, "--out", out, "--fit", "never")
    assert (done.code, out.read_text(), len(done.stderr.splitlines())) == (5, "old", 1), done
    assert done.stderr.startswith(f"batch-infer: {path}: its probabilities are (255, 10) float32; expected (256, 10)")


def test_an_endless_loop_does_not_begin(tmp_path):
    path = tmp_path / "loop.onnx"
    onnx.save(model([endless_loop()], scored=False), path)
    with pytest.raises(ModelError, match="the operator 'Loop' is not allowed"):
        OnnxClassifier(path)


@pytest.mark.long
@pytest.mark.slow
def test_a_model_that_computes_for_hours_is_given_up_and_sigterm_is_answered(run, tmp_path, shared_files):
    path = tmp_path / "slow.onnx"
    path.write_bytes(slow_model())
    arguments = (shared_files / "few.idx", "--model", path, "--out", tmp_path / "p.csv")
    done = run(*arguments)
    assert (done.code, done.stderr) == (
        5,
        f"batch-infer: {path}: it takes more than 30 s for one batch; make one with: python -m export onnx\n",
    )
    command = [*support_program("limits.short_time"), *arguments]  # otherwise the same, which takes another 30 s
    options = dict(stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=support_environment())
    with subprocess.Popen(command, **options) as process:
        time.sleep(5)
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=300)
    assert process.returncode == 143
    assert not (tmp_path / "p.csv").exists()


def test_no_allowed_operator_has_a_subgraph_or_is_left_to_chance():
    schemas = {schema.name: schema for schema in onnx.defs.get_all_schemas() if schema.domain == ""}
    graphs = {onnx.defs.OpSchema.AttrType.GRAPH, onnx.defs.OpSchema.AttrType.GRAPHS}
    for name in ALLOWED_OPERATORS:
        schema = schemas[name]
        assert not [item for item in schema.attributes.values() if item.type in graphs], name
        assert "seed" not in schema.attributes, name


def test_what_operators_give_has_the_type_that_the_lists_say():
    schemas = {}
    for schema in onnx.defs.get_all_schemas_with_history():
        if schema.domain == "":
            schemas.setdefault(schema.name, []).append(schema)
    floats = {"tensor(float)", "tensor(float16)", "tensor(bfloat16)", "tensor(double)"}
    for name in FLOAT_OPERATORS:
        for schema in schemas[name]:
            assert set(schema.outputs[0].types) <= floats, (name, schema.since_version)
    for name in SAME_TYPE_OPERATORS:
        for schema in schemas[name]:
            assert schema.outputs[0].type_str == schema.inputs[0].type_str, (name, schema.since_version)


def test_the_trial_batch_has_no_two_pictures_alike(classifier):
    images = trial_batch()
    assert (images.shape, images.dtype) == ((256, 28, 28), np.uint8)
    assert len(np.unique(images.reshape(256, -1), axis=0)) == 256
    assert len(set(classifier.predict(images).tolist())) >= 7
