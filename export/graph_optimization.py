"""Rewrites of an exported graph: the same mathematics in fewer and smaller steps; the parity gate judges the result."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper


def make_leaner(proto: onnx.ModelProto) -> None:
    """Apply all rewrites, in place; a graph without the pattern of one stays as it is."""
    fold_scale(proto.graph)
    keep_columns(proto.graph)
    narrow_indices(proto.graph)
    drop_unused(proto.graph)


def fold_scale(graph: onnx.GraphProto) -> None:
    """Divide the weights of a linear layer once instead of its input each time: x / c · W → x · (W / c)."""
    for gemm in _nodes(graph, "Gemm"):
        scale = _producer(graph, gemm.input[0])
        if scale is None or scale.op_type != "Div":
            continue
        divisor, weight = (_initializer(graph, name) for name in (scale.input[1], gemm.input[1]))
        if divisor is None or weight is None or _uses(graph, gemm.input[1]) > 1 or _uses(graph, scale.output[0]) > 1:
            continue
        constant = numpy_helper.to_array(divisor)
        if constant.size != 1:
            continue
        scaled = (numpy_helper.to_array(weight).astype(np.float64) / float(constant.item())).astype(np.float32)
        weight.CopyFrom(numpy_helper.from_array(scaled, weight.name))
        gemm.input[0] = scale.input[0]
        graph.node.remove(scale)


def keep_columns(graph: onnx.GraphProto) -> None:
    """Multiply features (F, N) as they lie, and transpose ten logits an image instead of F features: Xᵀ·Wᵀ → (W·X)ᵀ."""
    for gemm in _nodes(graph, "Gemm"):
        turn = _producer(graph, gemm.input[0])
        bias = _initializer(graph, gemm.input[2])
        flipped = {attribute.name: helper.get_attribute_value(attribute) for attribute in gemm.attribute}
        if turn is None or turn.op_type != "Transpose" or bias is None or flipped.get("transB") != 1:
            continue
        column = numpy_helper.to_array(bias)[:, None]
        bias.CopyFrom(numpy_helper.from_array(column, bias.name))
        logits = gemm.output[0]
        inputs = [gemm.input[1], turn.input[0], gemm.input[2]]
        product = helper.make_node("Gemm", inputs, [f"{logits}_columns"], name=f"{gemm.name}_columns")
        back = helper.make_node("Transpose", product.output, [logits], name=f"{gemm.name}_rows", perm=[1, 0])
        place = list(graph.node).index(gemm)
        graph.node.insert(place, back)
        graph.node.insert(place, product)
        graph.node.remove(gemm)
        graph.node.remove(turn)


def narrow_indices(graph: onnx.GraphProto) -> None:
    """Compute the positions that pixels are gathered from in 32 bits: PyTorch knows 64 alone."""
    for gather in _nodes(graph, "GatherElements"):
        chain = list(_upstream(graph, gather.input[1]))
        if not chain or chain[-1].op_type != "Cast" or any(len(node.output) != 1 for node in chain):
            continue
        (kind,) = (attribute for attribute in chain[-1].attribute if attribute.name == "to")
        kind.i = TensorProto.INT32
        for node in chain[:-1]:
            for name in node.input if node.op_type == "Add" else ():
                constant = _initializer(graph, name)
                if constant is not None:
                    narrow = numpy_helper.to_array(constant).astype(np.int32)
                    constant.CopyFrom(numpy_helper.from_array(narrow, constant.name))


def drop_unused(graph: onnx.GraphProto) -> None:
    """Take out constants that no node needs any more: ONNX Runtime warns about them."""
    for tensor in [tensor for tensor in graph.initializer if not _uses(graph, tensor.name)]:
        graph.initializer.remove(tensor)


def _upstream(graph: onnx.GraphProto, name: str) -> Iterator[NodeProto]:
    """The nodes that lead to an index, last one first, up to the Cast that made integers of it."""
    while (node := _producer(graph, name)) is not None and node.op_type in {"Reshape", "Add", "Unsqueeze", "Cast"}:
        yield node
        if node.op_type == "Cast":
            return
        name = node.input[0]


def _nodes(graph: onnx.GraphProto, kind: str) -> list[NodeProto]:
    return [node for node in graph.node if node.op_type == kind]


def _producer(graph: onnx.GraphProto, name: str) -> NodeProto | None:
    return next((node for node in graph.node if name in node.output), None)


def _initializer(graph: onnx.GraphProto, name: str) -> TensorProto | None:
    return next((tensor for tensor in graph.initializer if tensor.name == name), None)


def _uses(graph: onnx.GraphProto, name: str) -> int:
    return sum(name in node.input for node in graph.node)
