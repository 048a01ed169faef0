"""Makes models that lie or attack, each from a small honest one; support/hostile_model_cases.py lists them."""

import itertools
import json
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from batch_infer.runtime import import_onnxruntime
from batch_infer.self_test import trial_batch

node = helper.make_node
FLOAT, UINT8 = TensorProto.FLOAT, TensorProto.UINT8
HONEST = [node("Softmax", ["logits"], ["probabilities"], axis=1)]


def constant(name: str, values: Any) -> TensorProto:
    """An initializer."""
    return numpy_helper.from_array(np.asarray(values), name)


YES = constant("yes", np.array(True))


def base_weights(columns: int = 10) -> list[TensorProto]:
    """Weights of a small honest model."""
    weights = np.sin(np.arange(784 * columns, dtype=np.float64)).reshape(784, columns) / 2550
    return [
        constant("weights", weights.astype(np.float32)),
        constant("flat", np.array([-1, 784])),
        constant("bias", np.zeros(columns, np.float32)),
    ]


def model(
    tail: Iterable[NodeProto] = HONEST,
    *constants: TensorProto,
    columns: int = 10,
    first: str = "scores",
    kinds: tuple[int, int] = (FLOAT, FLOAT),
    scored: bool = True,
) -> onnx.ModelProto:
    """Pixels → `scores` → the result of the tail; the known answers are the model's own."""
    nodes = [
        node("Cast", ["images"], ["pixels"], to=FLOAT),
        node("Reshape", ["pixels", "flat"], ["rows"]),
        node("Gemm", ["rows", "weights", "bias"], [first]),
        *tail,
    ]
    if not any("logits" in item.output for item in nodes):
        nodes.insert(3, node("Identity", [first], ["logits"]))
    outputs = [
        helper.make_tensor_value_info(name, kind, ["batch", 10])
        for name, kind in zip(("logits", "probabilities"), kinds, strict=True)
    ]
    inputs = [helper.make_tensor_value_info("images", UINT8, ["batch", 28, 28])]
    graph = helper.make_graph(nodes, "g", inputs, outputs, [*base_weights(columns), *constants])
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    add_metadata(made, known_logits(made) if scored else [[0.0] * 10] * 3)
    return made


def known_logits(made: onnx.ModelProto) -> list[list[float]]:
    """The model's logits for the self-test's images, so that it is not refused because of them."""
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(made.SerializeToString(), options, providers=["CPUExecutionProvider"])
    (logits,) = session.run(["logits"], {"images": trial_batch()})
    return np.asarray(logits, np.float64)[:3, :10].tolist()


def add_metadata(made: onnx.ModelProto, known: list[list[float]], **changed: str) -> onnx.ModelProto:
    """Give a model the metadata that the runner requires, with changes."""
    texts = {"schema_version": "1", "recipe": '"pixels"', "canary": json.dumps({"logits": known}), **changed}
    helper.set_model_props(made, texts)
    return made


def with_metadata(**changed: str) -> bytes:
    """An honest model with other metadata."""
    made = model()
    known = known_logits(made)
    return add_metadata(made, known, **changed).SerializeToString()


def edited(change: Callable[[onnx.ModelProto], object]) -> bytes:
    """An honest model, changed."""
    made = model()
    change(made)
    return made.SerializeToString()


def patched(old: bytes, new: bytes) -> bytes:
    """The honest model with bytes replaced by equally many others, bypassing the onnx package's checks."""
    content = model().SerializeToString()
    assert old in content
    assert len(old) == len(new)
    return content.replace(old, new)


def typed(change: Callable[[onnx.TypeProto], object], where: str) -> bytes:
    """An input or output of another kind of type."""

    def set_type(made: onnx.ModelProto) -> None:
        value = getattr(made.graph, where)[0]
        value.type.Clear()
        change(value.type)

    return edited(set_type)


def sequence_of_floats(kind: onnx.TypeProto) -> None:
    """Make a type a sequence of floats."""
    kind.sequence_type.elem_type.tensor_type.elem_type = FLOAT


def optional_float(kind: onnx.TypeProto) -> None:
    """Make a type an optional float."""
    kind.optional_type.elem_type.tensor_type.elem_type = FLOAT


def endless_loop() -> NodeProto:
    """`while true` around the logits."""
    body = helper.make_graph(
        [node("Identity", ["go"], ["go_on"]), node("Identity", ["x"], ["y"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", FLOAT, None),
        ],
    )
    return node("Loop", ["", "yes", "scores"], ["logits"], body=body)


def branch() -> NodeProto:
    """A node of control flow."""
    half = helper.make_graph(
        [node("Identity", ["scores"], ["half"])], "half", [], [helper.make_tensor_value_info("half", FLOAT, None)]
    )
    return node("If", ["yes"], ["logits"], then_branch=half, else_branch=half)


def in_a_function(inner: NodeProto) -> bytes:
    """A model that has a node inside a function of its own."""
    made = model([node("Mine", ["scores", "yes"], ["logits"], domain="mine"), *HONEST], YES, scored=False)
    imports = [helper.make_opsetid("", 18)]
    made.functions.append(helper.make_function("mine", "Mine", ["scores", "yes"], ["logits"], [inner], imports))
    made.opset_import.append(helper.make_opsetid("mine", 1))
    return made.SerializeToString()


def claims_four_terabytes(made: onnx.ModelProto) -> None:
    """Make an initializer claim four terabytes."""
    made.graph.initializer.append(
        TensorProto(name="huge", data_type=FLOAT, dims=[1 << 20, 1 << 20], raw_data=b"\0" * 8)
    )


def twice_the_dimensions(made: onnx.ModelProto) -> bytes:
    """A tensor in an attribute, in two pieces: a lenient parser merges them into one of 4 TB."""
    piece = TensorProto(data_type=FLOAT, dims=[1 << 20]).SerializeToString()
    attribute = b"\x0a\x05value\xa0\x01\x04" + 2 * (b"\x2a" + bytes([len(piece)]) + piece)
    item = NodeProto(op_type="Constant", output=["huge"]).SerializeToString()
    item += b"\x2a" + bytes([len(attribute)]) + attribute
    graph = b"\x0a" + bytes([len(item)]) + item
    return made.SerializeToString() + b"\x3a" + bytes([len(graph)]) + graph


def doubled(count: int) -> list[NodeProto]:
    """A constant, concatenated with itself again and again."""
    names = ["weights", *(f"double{number}" for number in range(count))]
    return [node("Concat", [old, old], [new], axis=0) for old, new in itertools.pairwise(names)] + [
        node("ReduceSum", [names[-1]], ["sum"], keepdims=0),
        node("Add", ["scores", "sum"], ["logits"]),
        *HONEST,
    ]


def hours_of_products(count: int) -> list[NodeProto]:
    """One matrix product after another, each taking seconds."""
    wide = [node("MatMul", ["column", "row"], ["product0"])]
    wide += [node("MatMul", [f"product{n}", f"product{n}"], [f"product{n + 1}"]) for n in range(count)]
    return [
        *wide,
        node("ReduceSum", [f"product{count}"], ["sum"], keepdims=0),
        node("Mul", ["sum", "nothing"], ["none"]),
        node("Add", ["scores", "none"], ["logits"]),
        *HONEST,
    ]


def slow_model() -> bytes:
    """A model that takes a long time for every image."""
    side = np.full((2500, 1), 1e-4, np.float32)
    constants = [constant("column", side), constant("row", side.T), constant("nothing", np.float32(0))]
    return model(hours_of_products(1000), *constants, scored=False).SerializeToString()


def lies_where_the_first_pixel_is_77(lie: float) -> bytes:
    """Honest on all pictures of the checks before a job, but not on those with a 77 in the corner."""
    tail = [
        node("Softmax", ["scores"], ["soft"], axis=1),
        node("Slice", ["rows", "zero", "one", "one"], ["corner"]),
        node("Equal", ["corner", "mark"], ["marked"]),
        node("Where", ["marked", "lie", "soft"], ["probabilities"]),
    ]
    marks = [
        constant("zero", [0]),
        constant("one", [1]),
        constant("mark", np.float32(77)),
        constant("lie", np.float32(lie)),
    ]
    return model(tail, *marks).SerializeToString()


def shrinks_where_the_first_pixel_is_77() -> bytes:
    """Returns fewer rows if there is such a picture in the batch."""
    tail = [
        node("Slice", ["rows", "zero", "one", "one"], ["corner"]),
        node("Equal", ["corner", "mark"], ["marked"]),
        node("Cast", ["marked"], ["numbers"], to=TensorProto.INT64),
        node("ReduceMax", ["numbers"], ["start"], keepdims=0),
        node("Unsqueeze", ["start", "zero"], ["starts"]),
        node("Slice", ["scores", "starts", "many", "zero"], ["logits"]),
        *HONEST,
    ]
    marks = [constant("zero", [0]), constant("one", [1]), constant("many", [1 << 40]), constant("mark", np.float32(77))]
    return model(tail, *marks).SerializeToString()
