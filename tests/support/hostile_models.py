"""Models that lie or attack, each made from a small honest one: what `batch-infer --model` has to refuse."""

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


YES = constant("yes", np.array(True))
HUGE = constant("huge", np.array([1 << 40]))
DEEP = "[" * 100_000 + "]" * 100_000


def _tail(*nodes: NodeProto, constants: tuple[TensorProto, ...] = (), **options: Any) -> Callable[[], bytes]:
    return lambda: model(nodes, *constants, **options).SerializeToString()


def _after(
    operator: str, *inputs: str, constants: tuple[TensorProto, ...] = (), **attributes: Any
) -> Callable[[], bytes]:
    """The logits are the result of an operator on the scores."""
    tail = [node(operator, list(inputs), ["logits"], **attributes), *HONEST]
    return lambda: model(tail, *constants, scored=False).SerializeToString()


_RANGE = "its probabilities are not numbers from 0 to 1 that sum to 1 for each image; export it again"
_SOFTMAX = "its probabilities are not the softmax of its logits (they differ by "

# name → how it is made, and what the line says behind the model's name
LYING: dict[str, tuple[Callable[[], bytes], str]] = {
    "sigmoid": (_tail(node("Sigmoid", ["logits"], ["probabilities"])), _RANGE),
    "log-softmax": (_tail(node("LogSoftmax", ["logits"], ["probabilities"], axis=1)), _RANGE),
    "softmax over the batch": (_tail(node("Softmax", ["logits"], ["probabilities"], axis=0)), _RANGE),
    "logits twice": (_tail(node("Identity", ["logits"], ["probabilities"])), _RANGE),
    "percent": (
        _tail(
            node("Softmax", ["logits"], ["soft"], axis=1),
            node("Mul", ["soft", "hundred"], ["probabilities"]),
            constants=(constant("hundred", np.float32(100)),),
        ),
        _RANGE,
    ),
    "not finite": (
        _tail(
            node("Softmax", ["logits"], ["soft"], axis=1),
            node("Div", ["soft", "zero"], ["probabilities"]),
            constants=(constant("zero", np.float32(0)),),
        ),
        _RANGE,
    ),
    "of negated logits": (
        _tail(node("Neg", ["logits"], ["negated"]), node("Softmax", ["negated"], ["probabilities"], axis=1)),
        _SOFTMAX,
    ),
    "of another temperature": (
        _tail(
            node("Mul", ["logits", "cold"], ["sharp"]),
            node("Softmax", ["sharp"], ["probabilities"], axis=1),
            constants=(constant("cold", np.float32(1.1)),),
        ),
        _SOFTMAX,
    ),
    "one class late": (
        _tail(
            node("Gather", ["logits", "turned"], ["late"], axis=1),
            node("Softmax", ["late"], ["probabilities"], axis=1),
            constants=(constant("turned", [9, 0, 1, 2, 3, 4, 5, 6, 7, 8]),),
        ),
        _SOFTMAX,
    ),
    "always sure of the first": (
        _tail(
            node("Hardmax", ["logits"], ["probabilities"], axis=1),
        ),
        _SOFTMAX,
    ),
    "the batch's mean taken away": (
        _tail(
            node("ReduceMean", ["scores", "zero"], ["mean"], keepdims=1),
            node("Sub", ["scores", "mean"], ["logits"]),
            *HONEST,
            constants=(constant("zero", [0]),),
        ),
        "what it answers for an image depends on the images beside it; export it again",
    ),
    "of double precision": (
        _tail(
            node("Softmax", ["logits"], ["soft"], axis=1),
            node("Cast", ["soft"], ["probabilities"], to=TensorProto.DOUBLE),
            kinds=(FLOAT, TensorProto.DOUBLE),
        ),
        "expected input images uint8 [batch, 28, 28] and outputs logits and probabilities float32 [batch, 10]; it has ",
    ),
    "eleven columns": (
        _tail(
            node("Identity", ["scores"], ["logits"]),
            *HONEST,
            columns=11,
            scored=False,
        ),
        "",
    ),
    "one row for all": (
        _tail(
            node("ReduceMean", ["scores", "zero"], ["logits"], keepdims=1),
            *HONEST,
            constants=(constant("zero", [0]),),
        ),
        "expected input images uint8 [batch, 28, 28] and outputs logits and probabilities float32 [batch, 10]; it has ",
    ),
}

_OPERATOR = "the operator '{}' is not allowed in a model; expected plain mathematics and layout"

ATTACKING: dict[str, tuple[Callable[[], bytes], str]] = {
    "an endless loop": (_tail(endless_loop(), *HONEST, constants=(YES,), scored=False), _OPERATOR.format("Loop")),
    "a branch": (_tail(branch(), *HONEST, constants=(YES,), scored=False), _OPERATOR.format("If")),
    "a loop in a function": (lambda: in_a_function(endless_loop()), "it defines functions; expected one plain graph"),
    "an operator of others": (
        _after("Inverse", "scores", domain="com.microsoft"),
        "the operator 'Inverse' of 'com.microsoft' is not allowed in a model",
    ),
    "randomness": (_after("RandomNormalLike", "scores"), _OPERATOR.format("RandomNormalLike")),
    "a constant of 4 TB": (
        _after("ConstantOfShape", "huge", constants=(HUGE,)),
        _OPERATOR.format("ConstantOfShape"),
    ),
    "an expansion": (_after("Expand", "scores", "huge", constants=(HUGE,)), _OPERATOR.format("Expand")),
    "a sequence": (_after("SequenceConstruct", "scores"), _OPERATOR.format("SequenceConstruct")),
    "an operator of many lines": (_after("Bad\nName\x1b[2J", "scores"), "the operator 'Bad\\nName\\x1b[2J' is not"),
    "a subgraph where none belongs": (
        lambda: model(
            [node("Identity", ["scores"], ["logits"], b=branch().attribute[0].g), *HONEST], scored=False
        ).SerializeToString(),
        "the operator 'Identity' holds a graph of its own",
    ),
    "weights of 4 TB": (
        lambda: edited(claims_four_terabytes),
        "the tensor 'huge' declares 1,099,511,627,776 values, but has 8 bytes",
    ),
    "negative dimensions": (
        lambda: edited(lambda made: made.graph.initializer[0].dims.extend([-1])),
        "a tensor has the shape [784, 10, -1]; expected few dimensions, none negative",
    ),
    "weights of text": (
        lambda: edited(lambda made: setattr(made.graph.initializer[0], "data_type", TensorProto.STRING)),
        "the tensor 'weights' has data type 8; expected numbers or booleans",
    ),
    "a graph in two pieces": (lambda: twice_the_dimensions(model()), "not an ONNX model (graph twice)"),
    "sparse weights": (
        lambda: edited(lambda made: made.graph.sparse_initializer.add(dims=[1 << 40])),
        "it has sparse tensors; expected dense ones",
    ),
    "a training graph": (
        lambda: edited(lambda made: made.training_info.add()),
        "it holds a training graph; expected one plain graph",
    ),
    "a sequence as input": (
        lambda: typed(sequence_of_floats, "input"),
        "the value 'images' is of the type sequence; expected a tensor",
    ),
    "a sequence as output": (
        lambda: typed(sequence_of_floats, "output"),
        "the value 'logits' is of the type sequence; expected a tensor",
    ),
    "an optional input": (
        lambda: typed(optional_float, "input"),
        "the value 'images' is of the type optional; expected a tensor",
    ),
    "an optional output": (
        lambda: typed(optional_float, "output"),
        "the value 'logits' is of the type optional; expected a tensor",
    ),
    "a name that is not UTF-8": (lambda: patched(b"images", b"imag\xff\xfe"), "not an ONNX model (input is not UTF-8)"),
    "metadata that are not UTF-8": (
        lambda: patched(b'"pixels"', b'"pixel\xff"'),
        "not an ONNX model (value is not UTF-8)",
    ),
    "a key twice": (
        lambda: edited(lambda made: made.metadata_props.add(key="canary", value="1")),
        "its metadata have the key 'canary' twice",
    ),
    "metadata of 2 MB": (lambda: with_metadata(note="x" * (2 << 20)), "its metadata have more than 1 MB"),
    "deeply nested JSON": (lambda: with_metadata(canary=DEEP), "its metadata under 'canary' cannot be read (nested"),
    "JSON nested a bit": (
        lambda: with_metadata(x="[" * 30 + "]" * 30),
        "its metadata under 'x' cannot be read (nested",
    ),
    "a long integer": (lambda: with_metadata(schema_version="9" * 5000), "its metadata under 'schema_version' cannot"),
    "a number beyond floats": (
        lambda: with_metadata(canary=json.dumps({"logits": [[10**400] * 10] * 3})),
        "its metadata have no logits of its self-test",
    ),
    "a number that is none": (
        lambda: with_metadata(x="NaN"),
        "its metadata under 'x' cannot be read (NaN is not a number",
    ),
    "half a surrogate": (lambda: with_metadata(recipe='"\\ud800"'), "its metadata under 'recipe' cannot be read (half"),
    "a list for an answer": (lambda: with_metadata(canary="[1]"), "its metadata have no logits of its self-test"),
    "text for answers": (
        lambda: with_metadata(canary=json.dumps({"logits": [["1"] * 10] * 3})),
        "its metadata have no logits of its self-test",
    ),
    "rows of many lengths": (
        lambda: with_metadata(canary=json.dumps({"logits": [[1.0], [1.0, 2.0], []]})),
        "its metadata have no logits of its self-test",
    ),
    "a recipe that is a list": (lambda: with_metadata(recipe="[]"), "its metadata name a recipe that is no name: '[]'"),
    "ONNX Runtime's own format": (lambda: b"\x20\x00\x00\x00ORTM" + bytes(100), "not an ONNX model ("),
    "doubled 40 times": (lambda: model(doubled(40), scored=False).SerializeToString(), "ONNX Runtime "),
    "300,000 empty fields": (
        lambda: model().SerializeToString() + b"\x42\x00" * 300_000,
        "not an ONNX model (more than 200,000 fields)",
    ),
}
