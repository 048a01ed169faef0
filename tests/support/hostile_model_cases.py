"""Models that `batch-infer --model` has to refuse, and what it says of each."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
from onnx import NodeProto, TensorProto

from support.hostile_models import (
    FLOAT,
    HONEST,
    YES,
    branch,
    claims_four_terabytes,
    constant,
    doubled,
    edited,
    endless_loop,
    in_a_function,
    model,
    node,
    optional_float,
    patched,
    sequence_of_floats,
    twice_the_dimensions,
    typed,
    with_metadata,
)

HUGE = constant("huge", np.array([1 << 40]))
DEEP = "[" * 100_000 + "]" * 100_000


LOWEST = constant("lowest", np.full(10, np.iinfo(np.int32).min, np.int32))
MINUS_ONE = constant("minus_one", np.full(10, -1, np.int32))


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
    "a quotient that kills": (
        _tail(
            node("Div", ["lowest", "minus_one"], ["infinite"]),
            node("Cast", ["infinite"], ["casted"], to=FLOAT),
            node("Add", ["scores", "casted"], ["logits"]),
            *HONEST,
            constants=(LOWEST, MINUS_ONE),
            scored=False,
        ),
        "the operator 'Div' divides what is not known to be floating-point; of integers it can kill the process",
    ),
    "a remainder that kills": (
        _after("Mod", "lowest", "minus_one", constants=(LOWEST, MINUS_ONE)),
        _OPERATOR.format("Mod"),
    ),
    "2,000 operators": (
        _tail(*[node("Relu", [f"x{n}"], [f"x{n + 1}"]) for n in range(2000)], *HONEST, first="x0", scored=False),
        "it has 2,005 operators; expected 1,500 at most",
    ),
    "a value defined twice": (
        lambda: edited(lambda made: made.graph.initializer.append(made.graph.initializer[0])),
        "the value 'weights' is defined twice",
    ),
    "metadata that speak for the file": (
        lambda: with_metadata(sha256='"0"'),
        "its metadata have the key 'sha256', which the exporter does not write",
    ),
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
