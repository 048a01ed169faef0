"""Files that people take for a model and that are none: told by their first bytes, each with what to do."""

from typing import Final

from batch_infer.downloads import describe_download
from batch_infer.first_bytes import GZIP, HDF5, NPY, PICKLES, TAR, ZIP

_WEIGHTS: Final = "make a model of the weights in it with: python -m export onnx --weights FILE"
_STATE_DICT: Final = (
    "save its weights: torch.save(model.state_dict(), 'weights.pth'); then: python -m export onnx --weights"
)
_CONVERT: Final = f"in Python, save the weights that it holds as PyTorch's state_dict; {_WEIGHTS}"
_TORCH_OLD: Final = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19"  # torch.save before version 1.6: its magic number
_MAGIC: Final = (
    (0, _TORCH_OLD, f"a checkpoint of torch.save; {_WEIGHTS}"),
    (0, HDF5, f"an HDF5 file (Keras?); {_CONVERT}"),
    (4, b"TFL3", f"a TensorFlow Lite model; {_CONVERT}"),
    (8, b'{"', f"a safetensors file; {_CONVERT}"),
    (0, NPY, f"a NumPy array; {_CONVERT}"),
    (0, GZIP, "compressed with gzip; unpack it: gunzip"),
    (*TAR, "an archive (tar); unpack it, and name the model in it"),
    (0, b"\x89PNG", "a PNG picture; pictures are INPUTs, without --model"),
    (0, b"\xff\xd8\xff", "a JPEG picture; pictures are INPUTs, without --model"),
    (0, b"\0\0\x08\x03", "an IDX file of images; it is an INPUT, without --model"),
)
_HEAD: Final = 1 << 16  # bytes that are searched for names of a zip file's first entries


def describe_foreign(data: bytes) -> str | None:
    """Recognize a file that is no ONNX model.

    Args:
        data: content of the file, or its first bytes.

    Returns:
        What it is and what to do; None for an unknown one.
    """
    if data.startswith(ZIP):
        return _describe_zip(data)
    for offset, magic, what in _MAGIC:
        if data[offset : offset + len(magic)] == magic:
            return what
    if data.startswith(PICKLES):
        return f"a pickle, which is never read, as it may run programs; {_CONVERT}"
    return describe_download(data)


def _describe_zip(data: bytes) -> str:
    if b"/code/__torch__" in data or b"constants.pkl" in data:
        return f"a TorchScript program, which is never run; {_STATE_DICT}"
    if b"data.pkl" in data[:_HEAD]:
        return f"a checkpoint of torch.save; {_WEIGHTS}"
    if b".weights.h5" in data or b"metadata.json" in data[:_HEAD]:
        return f"a Keras model; {_CONVERT}"
    return "an archive (zip); unpack it, and name the model in it"
