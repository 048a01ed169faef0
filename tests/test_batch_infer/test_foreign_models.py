"""Files that people take for a model: each is refused in one line that says what it is and what to do."""

import io
import pickle
import warnings
import zipfile

import pytest

from batch_infer.classifier import OnnxClassifier
from batch_infer.errors import ModelError

torch = pytest.importorskip("torch", reason="these are its files")


def saved(content, **options) -> bytes:
    buffer = io.BytesIO()
    torch.save(content, buffer, **options)
    return buffer.getvalue()


def scripted() -> bytes:
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.script(torch.nn.Linear(4, 2)), buffer)
    return buffer.getvalue()


def zipped() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("model.onnx", b"x")
    return buffer.getvalue()


LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a21\nsize 80223\n"
S3 = b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>AccessDenied</Code><Message>no</Message></Error>'
FILES = {
    "git-LFS": (lambda: LFS, "a git-LFS pointer, not the file itself; fetch that with: git lfs pull"),
    "HTML": (lambda: b"\n<!DOCTYPE html>\n<html>", "an HTML page (a login, an error?), not the file itself; "),
    "XHTML": (lambda: b'<?xml version="1.0"?>\n<html xmlns="x">', "an HTML page (a login, an error?), "),
    "S3": (lambda: S3, "a server's error in XML (AccessDenied), not the file itself; download it again"),
    "JSON": (lambda: b'{"error": "gone"}', "a server's error in JSON, not the file itself; download it again"),
    "state_dict": (
        lambda: saved(torch.nn.Linear(4, 2).state_dict()),
        "a checkpoint of torch.save; make a model of the w",
    ),
    "old state_dict": (
        lambda: saved(torch.nn.Linear(4, 2).state_dict(), _use_new_zipfile_serialization=False),
        "a checkpoint of torch.save; make a model of the weights in it with: python -m export onnx --weights FILE",
    ),
    "whole module": (lambda: saved(torch.nn.Linear(4, 2)), "a checkpoint of torch.save; "),
    "TorchScript": (scripted, "a TorchScript program, which is never run; save its weights: torch.save("),
    "pickle": (lambda: pickle.dumps({"w": [1]}), "a pickle, which is never read, as it may run programs; "),
    "safetensors": (lambda: b"\x40\0\0\0\0\0\0\0" + b'{"weight":{"dtype":"F32"}}', "a safetensors file; "),
    "Keras": (lambda: b"\x89HDF\r\n\x1a\n" + bytes(100), "an HDF5 file (Keras?); in Python, save the weights "),
    "TensorFlow Lite": (lambda: b"\x1c\0\0\0TFL3" + bytes(100), "a TensorFlow Lite model; "),
    "zip": (zipped, "an archive (zip); unpack it, and name the model in it"),
    "gzip": (lambda: b"\x1f\x8b\x08\0" + bytes(20), "compressed with gzip; unpack it: gunzip"),
    "picture": (lambda: b"\x89PNG\r\n\x1a\n" + bytes(20), "a PNG picture; pictures are INPUTs, without --model"),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_is_no_model_is_named(tmp_path, kind):
    make, expected = FILES[kind]
    path = tmp_path / "model.onnx"
    path.write_bytes(make())
    with pytest.raises(ModelError) as caught:
        OnnxClassifier(path)
    assert str(caught.value).startswith(f"{path}: not an ONNX model: {expected}")
    assert len(str(caught.value).splitlines()) == 1


def test_a_checkpoint_beyond_the_limit_is_named_too(tmp_path):
    path = tmp_path / "big.pth"
    path.write_bytes(saved(torch.nn.Linear(4, 2).state_dict()))
    with path.open("r+b") as file:
        file.truncate(65 << 20)
    with pytest.raises(ModelError, match=r"big\.pth: not an ONNX model: a checkpoint of torch\.save; make a model "):
        OnnxClassifier(path)


@pytest.mark.parametrize("external", [True, False])
def test_what_torch_exports_of_a_tutorials_model_says_what_was_expected(tmp_path, external):
    path = tmp_path / "tutorial.onnx"
    model = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 10)).eval()
    torch.onnx.export(
        model, (torch.zeros(1, 1, 28, 28),), path, input_names=["input"], external_data=external, verbose=False
    )
    with pytest.raises(ModelError) as caught:
        OnnxClassifier(path)
    message = str(caught.value)
    expected = "; it has input input float32 [1, 1, 28, 28] and output linear float32 [1, 10]; "
    if external:
        expected = (
            ": the tensor '1.weight' is kept in another file ('tutorial.onnx.data'); expected all weights in this"
        )
    assert expected in message
    assert "--weights FILE" in message
    assert len(message.splitlines()) == 1
