"""Checks that an ONNX file holds a plain graph of harmless operators, before ONNX Runtime sees it.

Field numbers as in the standard's onnx/onnx-ml.proto (github.com/onnx/onnx). A field not listed here is refused,
as are functions, training graphs, subgraphs and sparse tensors: the exporter writes none of these.
"""

import math
from typing import Final

from batch_infer.classifier.operators import ALLOWED_OPERATORS
from batch_infer.classifier.wire_format import (
    BYTES,
    FIXED32,
    FIXED32S,
    FIXED64S,
    INT,
    INTS,
    MESSAGE,
    MESSAGES,
    TEXT,
    TEXTS,
    Message,
    Schema,
    WireError,
    WireReader,
)
from batch_infer.errors import ModelError

_MODEL: Final[Schema] = {
    1: ("ir_version", INT),
    2: ("producer_name", TEXT),
    3: ("producer_version", TEXT),
    4: ("domain", TEXT),
    5: ("model_version", INT),
    6: ("doc_string", TEXT),
    7: ("graph", MESSAGE),
    8: ("opset_import", MESSAGES),
    14: ("metadata_props", MESSAGES),
    20: ("training_info", MESSAGES),
    25: ("functions", MESSAGES),
}
_OPSET: Final[Schema] = {1: ("domain", TEXT), 2: ("version", INT)}
_ENTRY: Final[Schema] = {1: ("key", TEXT), 2: ("value", TEXT)}
_GRAPH: Final[Schema] = {
    1: ("node", MESSAGES),
    2: ("name", TEXT),
    5: ("initializer", MESSAGES),
    10: ("doc_string", TEXT),
    11: ("input", MESSAGES),
    12: ("output", MESSAGES),
    13: ("value_info", MESSAGES),
    15: ("sparse_initializer", MESSAGES),
    16: ("metadata_props", MESSAGES),
}
_NODE: Final[Schema] = {
    1: ("input", TEXTS),
    2: ("output", TEXTS),
    3: ("name", TEXT),
    4: ("op_type", TEXT),
    5: ("attribute", MESSAGES),
    6: ("doc_string", TEXT),
    7: ("domain", TEXT),
    8: ("overload", TEXT),
    9: ("metadata_props", MESSAGES),
}
_ATTRIBUTE: Final[Schema] = {
    1: ("name", TEXT),
    2: ("f", FIXED32),
    3: ("i", INT),
    4: ("s", BYTES),
    5: ("t", MESSAGE),
    6: ("g", MESSAGES),
    7: ("floats", FIXED32S),
    8: ("ints", INTS),
    9: ("strings", MESSAGES),
    11: ("graphs", MESSAGES),
    13: ("doc_string", TEXT),
    20: ("type", INT),
}
_TENSOR: Final[Schema] = {
    1: ("dims", INTS),
    2: ("data_type", INT),
    4: ("float_data", FIXED32S),
    5: ("int32_data", INTS),
    7: ("int64_data", INTS),
    8: ("name", TEXT),
    9: ("raw_data", BYTES),
    10: ("double_data", FIXED64S),
    11: ("uint64_data", INTS),
    12: ("doc_string", TEXT),
    13: ("external_data", MESSAGES),
    14: ("data_location", INT),
    16: ("metadata_props", MESSAGES),
}
_VALUE: Final[Schema] = {1: ("name", TEXT), 2: ("type", MESSAGE), 3: ("doc_string", TEXT), 4: ("metadata", MESSAGES)}
_TYPE: Final[Schema] = {
    1: ("tensor", MESSAGE),
    4: ("sequence", MESSAGES),
    5: ("map", MESSAGES),
    6: ("denotation", TEXT),
    7: ("opaque", MESSAGES),
    8: ("sparse tensor", MESSAGES),
    9: ("optional", MESSAGES),
}
_TENSOR_TYPE: Final[Schema] = {1: ("elem_type", INT), 2: ("shape", MESSAGE)}
_SHAPE: Final[Schema] = {1: ("dim", MESSAGES)}
_DIMENSION: Final[Schema] = {1: ("dim_value", INT), 2: ("dim_param", TEXT), 3: ("denotation", TEXT)}

# Bytes of an element, by TensorProto.DataType: numbers and booleans of whole bytes; no text, no complex numbers.
_ITEM_BYTES: Final = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
_MAX_NODES: Final = 5_000  # the bundled model has 180
_MAX_DIMENSIONS: Final = 16
_MAX_ELEMENTS: Final = 1 << 28  # the most that a value may be declared with
_MAX_METADATA: Final = 1 << 20  # characters


def check_graph(data: bytes, name: str) -> dict[str, str]:
    """Check a model before ONNX Runtime opens it.

    Args:
        data: content of the file.
        name: name of the model in messages.

    Returns:
        The model's metadata strings, by key.

    Raises:
        ModelError: it is not an ONNX file, or contains something that is not allowed in a model.
    """
    try:
        return _GraphCheck().model(memoryview(data))
    except WireError as error:
        raise ModelError(f"{name}: not an ONNX model ({error}); make one with: python -m export onnx") from error
    except _RefusedError as error:
        raise ModelError(f"{name}: {error}; make a model with: python -m export onnx") from error


class _RefusedError(Exception):
    """It is an ONNX file, but not a model for the batch job; the message says why."""


class _GraphCheck:
    """One method per kind of message; each calls only those below it, so the recursion depth is fixed."""

    def __init__(self) -> None:
        self._wire = WireReader()

    def model(self, data: memoryview) -> dict[str, str]:
        model = self._wire.read(data, _MODEL)
        if "functions" in model:
            raise _RefusedError("it defines functions; expected one plain graph")
        if "training_info" in model:
            raise _RefusedError("it holds a training graph; expected one plain graph")
        if "graph" not in model:
            raise WireError("it has no graph")
        for opset in model.get("opset_import", ()):
            self._wire.read(opset, _OPSET)
        self._graph(model["graph"][0])
        return self._metadata(model.get("metadata_props", []))

    def _metadata(self, entries: list[memoryview]) -> dict[str, str]:
        if sum(map(len, entries)) > _MAX_METADATA:
            raise _RefusedError(f"its metadata have more than {_MAX_METADATA >> 20} MB")
        metadata: dict[str, str] = {}
        for entry in entries:
            fields = self._wire.read(entry, _ENTRY)
            (key,), (value,) = fields.get("key", [""]), fields.get("value", [""])
            if key in metadata:
                raise _RefusedError(f"its metadata have the key {_quoted(key)} twice")
            metadata[key] = value
        return metadata

    def _graph(self, data: memoryview) -> None:
        graph = self._wire.read(data, _GRAPH)
        if "sparse_initializer" in graph:
            raise _RefusedError("it has sparse tensors; expected dense ones")
        nodes = graph.get("node", [])
        if len(nodes) > _MAX_NODES:
            raise _RefusedError(f"it has {len(nodes):,} operators; expected {_MAX_NODES:,} at most")
        for node in nodes:
            self._node(node)
        for tensor in graph.get("initializer", ()):
            self._tensor(tensor)
        for kind in ("input", "output", "value_info"):
            for value in graph.get(kind, ()):
                self._value(value)

    def _node(self, data: memoryview) -> None:
        node = self._wire.read(data, _NODE)
        (operator,), (domain,) = node.get("op_type", [""]), node.get("domain", [""])
        if domain not in {"", "ai.onnx"}:
            raise _RefusedError(
                f"the operator {_quoted(operator)} of {_quoted(domain)} is not allowed in a model; "
                "expected operators of ONNX itself"
            )
        if operator not in ALLOWED_OPERATORS:
            raise _RefusedError(
                f"the operator {_quoted(operator)} is not allowed in a model; expected plain mathematics and layout, "
                "without loops, branches, randomness, or sizes that depend on values"
            )
        for item in node.get("attribute", ()):
            attribute = self._wire.read(item, _ATTRIBUTE)
            if "g" in attribute or "graphs" in attribute:
                raise _RefusedError(f"the operator {_quoted(operator)} holds a graph of its own")
            for tensor in attribute.get("t", ()):
                self._tensor(tensor)

    def _tensor(self, data: memoryview) -> None:
        tensor = self._wire.read(data, _TENSOR)
        shown = _quoted(tensor.get("name", [""])[0])
        if "external_data" in tensor or tensor.get("data_location", [0])[0]:
            raise _RefusedError(f"the tensor {shown} is kept in another file; expected all weights in this one")
        (kind,) = tensor.get("data_type", [0])
        if kind not in _ITEM_BYTES:
            raise _RefusedError(f"the tensor {shown} has data type {kind}; expected numbers or booleans")
        count = _elements(self._wire.integers(tensor.get("dims", [])))
        stored = sum(_size(tensor.get(field, [])) for field in _DATA_FIELDS)
        exact = "raw_data" in tensor and stored != count * _ITEM_BYTES[kind]
        if exact or count > stored:  # packed numbers take a byte each, or more
            raise _RefusedError(f"the tensor {shown} declares {count:,} values, but has {stored:,} bytes")

    def _value(self, data: memoryview) -> None:
        value = self._wire.read(data, _VALUE)
        shown = _quoted(value.get("name", [""])[0])
        for data_type in value.get("type", ()):
            kinds = self._wire.read(data_type, _TYPE)
            kinds.pop("denotation", None)
            if list(kinds) != ["tensor"]:
                raise _RefusedError(
                    f"the value {shown} is of the type {' and '.join(kinds) or 'none'}; expected a tensor"
                )
            for shape in self._wire.read(kinds["tensor"][0], _TENSOR_TYPE).get("shape", ()):
                dimensions = [
                    self._wire.read(item, _DIMENSION) for item in self._wire.read(shape, _SHAPE).get("dim", ())
                ]
                self._check_dimensions(shown, dimensions)

    @staticmethod
    def _check_dimensions(shown: str, dimensions: list[Message]) -> None:
        if (
            _elements([dimension["dim_value"][0] for dimension in dimensions if "dim_value" in dimension])
            > _MAX_ELEMENTS
        ):
            raise _RefusedError(f"the value {shown} is declared with more than {_MAX_ELEMENTS:,} elements")


_DATA_FIELDS: Final = ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data")


def _elements(dimensions: list[int]) -> int:
    """The number of elements of a shape.

    Raises:
        _RefusedError: it is not a valid shape.
    """
    if len(dimensions) > _MAX_DIMENSIONS or any(dimension < 0 for dimension in dimensions):
        raise _RefusedError(f"a tensor has the shape {str(dimensions)[:60]}; expected few dimensions, none negative")
    return math.prod(dimensions)


def _size(values: list[memoryview | int]) -> int:
    """The size of a data field's values in bytes; a number that is not packed takes at least one."""
    return sum(1 if isinstance(value, int) else len(value) for value in values)


def _quoted(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:40] + "…")
