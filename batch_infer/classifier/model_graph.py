"""Checks that an ONNX file holds a plain graph of harmless operators, before ONNX Runtime sees it.

Functions, training graphs, subgraphs and sparse tensors are refused: the exporter writes none of these.
"""

import math
from typing import Final

from batch_infer.classifier.foreign import describe_foreign
from batch_infer.classifier.onnx_format import (
    ATTRIBUTE,
    DIMENSION,
    ENTRY,
    GRAPH,
    MODEL,
    NODE,
    OPSET,
    SHAPE,
    TENSOR,
    TENSOR_TYPE,
    TYPE,
    VALUE,
)
from batch_infer.classifier.operators import ALLOWED_OPERATORS, FLOAT_OPERATORS, SAME_TYPE_OPERATORS
from batch_infer.classifier.wire_format import Message, WireError, WireReader
from batch_infer.errors import ModelError

# Bytes of an element, by TensorProto.DataType: numbers and booleans of whole bytes; no text, no complex numbers.
_ITEM_BYTES: Final = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2}
_FLOATS: Final = frozenset({1, 10, 11, 16})  # of them, the floating-point types
_MAX_NODES: Final = 1_500  # the bundled model has 180; the time that ONNX Runtime takes to open grows with their square
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
        what = describe_foreign(data)
        detail = f": {what}" if what else f" ({error}); make one with: python -m export onnx"
        raise ModelError(f"{name}: not an ONNX model{detail}") from error
    except _RefusedError as error:
        raise ModelError(f"{name}: {error}; make a model with: python -m export onnx") from error


class _RefusedError(Exception):
    """It is an ONNX file, but not a model for the batch job; the message says why."""


class _GraphCheck:
    """One method per kind of message; each calls only those below it, so the recursion depth is fixed."""

    def __init__(self) -> None:
        self._wire = WireReader()
        self._is_float: dict[str, bool] = {}  # constants and results by name: are they known to be floating-point?

    def model(self, data: memoryview) -> dict[str, str]:
        model = self._wire.read(data, MODEL)
        if "functions" in model:
            raise _RefusedError("it defines functions; expected one plain graph")
        if "training_info" in model:
            raise _RefusedError("it holds a training graph; expected one plain graph")
        if "graph" not in model:
            raise WireError("it has no graph")
        for opset in model.get("opset_import", ()):
            self._wire.read(opset, OPSET)
        self._graph(model["graph"][0])
        return self._metadata(model.get("metadata_props", []))

    def _metadata(self, entries: list[memoryview]) -> dict[str, str]:
        if sum(map(len, entries)) > _MAX_METADATA:
            raise _RefusedError(f"its metadata have more than {_MAX_METADATA >> 20} MB")
        metadata: dict[str, str] = {}
        for entry in entries:
            fields = self._wire.read(entry, ENTRY)
            (key,), (value,) = fields.get("key", [""]), fields.get("value", [""])
            if key in metadata:
                raise _RefusedError(f"its metadata have the key {_quoted(key)} twice")
            metadata[key] = value
        return metadata

    def _graph(self, data: memoryview) -> None:
        graph = self._wire.read(data, GRAPH)
        if "sparse_initializer" in graph:
            raise _RefusedError("it has sparse tensors; expected dense ones")
        nodes = graph.get("node", [])
        if len(nodes) > _MAX_NODES:
            raise _RefusedError(f"it has {len(nodes):,} operators; expected {_MAX_NODES:,} at most")
        for tensor in graph.get("initializer", ()):
            self._define(*self._tensor(tensor))
        for node in nodes:
            self._node(node)
        for kind in ("input", "output", "value_info"):
            for value in graph.get(kind, ()):
                self._value(value)

    def _define(self, name: str, is_float: bool) -> None:
        if name in self._is_float:
            raise _RefusedError(f"the value {_quoted(name)} is defined twice")
        self._is_float[name] = is_float

    def _node(self, data: memoryview) -> None:
        node = self._wire.read(data, NODE)
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
        inputs, is_float = node.get("input", []), operator in FLOAT_OPERATORS
        if operator == "Div" and not any(self._is_float.get(name) for name in inputs):
            raise _RefusedError(
                "the operator 'Div' divides what is not known to be floating-point; of integers it can kill the process"
            )
        for item in node.get("attribute", ()):
            attribute = self._wire.read(item, ATTRIBUTE)
            if "g" in attribute or "graphs" in attribute:
                raise _RefusedError(f"the operator {_quoted(operator)} holds a graph of its own")
            for tensor in attribute.get("t", ()):
                is_float |= self._tensor(tensor)[1]
            is_float |= operator == "Cast" and attribute.get("i", [0])[0] in _FLOATS
        if operator in SAME_TYPE_OPERATORS or operator == "Where":
            is_float = any(self._is_float.get(name, False) for name in inputs[operator == "Where" :][:1])
        for number, output in enumerate(node.get("output", ())):
            if output:  # an optional result that is not wanted has no name
                # Second results may be indices (MaxPool); but for Split's, no quotient is taken of them.
                self._define(output, is_float and (number == 0 or operator == "Split"))

    def _tensor(self, data: memoryview) -> tuple[str, bool]:
        """Check a tensor → its name, and whether it is floating-point."""
        tensor = self._wire.read(data, TENSOR)
        (name,) = tensor.get("name", [""])
        shown = _quoted(name)
        if "external_data" in tensor or tensor.get("data_location", [0])[0]:
            where = self._location(tensor)
            raise _RefusedError(
                f"the tensor {shown} is kept in another file{where}; expected all weights in this one, "
                "as our exporter writes them (those of a model of your own: --weights FILE)"
            )
        (kind,) = tensor.get("data_type", [0])
        if kind not in _ITEM_BYTES:
            raise _RefusedError(f"the tensor {shown} has data type {kind}; expected numbers or booleans")
        count = _elements(self._wire.integers(tensor.get("dims", [])))
        stored = sum(_size(tensor.get(field, [])) for field in _DATA_FIELDS)
        exact = "raw_data" in tensor and stored != count * _ITEM_BYTES[kind]
        if exact or count > stored:  # packed numbers take a byte each, or more
            raise _RefusedError(f"the tensor {shown} declares {count:,} values, but has {stored:,} bytes")
        return name, kind in _FLOATS

    def _location(self, tensor: Message) -> str:
        """The name of the file of external data, as torch.onnx.export writes it beside the model by default."""
        for item in tensor.get("external_data", ()):
            entry = self._wire.read(item, ENTRY)
            if entry.get("key") == ["location"] and "value" in entry:
                return f" ({_quoted(entry['value'][0])})"
        return ""

    def _value(self, data: memoryview) -> None:
        value = self._wire.read(data, VALUE)
        shown = _quoted(value.get("name", [""])[0])
        for data_type in value.get("type", ()):
            kinds = self._wire.read(data_type, TYPE)
            kinds.pop("denotation", None)
            if list(kinds) != ["tensor"]:
                raise _RefusedError(
                    f"the value {shown} is of the type {' and '.join(kinds) or 'none'}; expected a tensor"
                )
            for shape in self._wire.read(kinds["tensor"][0], TENSOR_TYPE).get("shape", ()):
                dimensions = [self._wire.read(item, DIMENSION) for item in self._wire.read(shape, SHAPE).get("dim", ())]
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
