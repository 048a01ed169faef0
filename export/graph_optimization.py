"""Graph optimizations: the same function in fewer and cheaper nodes; the parity gate checks the result."""

from collections.abc import Iterator

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper


def optimize_graph(proto: onnx.ModelProto) -> None:
    """Apply all passes, in place; a pass whose pattern does not occur changes nothing."""
    fold_division_into_weights(proto.graph)
    sink_transpose(proto.graph)
    narrow_indices(proto.graph)
    remove_dead_initializers(proto.graph)


def fold_division_into_weights(graph: onnx.GraphProto) -> None:
    """Constant folding of a division before a linear layer: (x / c) · W → x · (W / c)."""
    for gemm in _nodes(graph, "Gemm"):
        division = _producer(graph, gemm.input[0])
        if division is None or division.op_type != "Div":
            continue
        divisor, weight = (_initializer(graph, name) for name in (division.input[1], gemm.input[1]))
        if divisor is None or weight is None or _uses(graph, gemm.input[1]) > 1 or _uses(graph, division.output[0]) > 1:
            continue
        constant = numpy_helper.to_array(divisor)
        if constant.size != 1:
            continue
        scaled = (numpy_helper.to_array(weight).astype(np.float64) / float(constant.item())).astype(np.float32)
        weight.CopyFrom(numpy_helper.from_array(scaled, weight.name))
        gemm.input[0] = division.input[0]
        graph.node.remove(division)


def sink_transpose(graph: onnx.GraphProto) -> None:
    """Transpose the logits `(10, N)` after the linear layer instead of the features `(F, N)` before: Xᵀ·Wᵀ → (W·X)ᵀ."""
    for gemm in _nodes(graph, "Gemm"):
        transpose = _producer(graph, gemm.input[0])
        bias = _initializer(graph, gemm.input[2])
        attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in gemm.attribute}
        if transpose is None or transpose.op_type != "Transpose" or bias is None or attributes.get("transB") != 1:
            continue
        column = numpy_helper.to_array(bias)[:, None]
        bias.CopyFrom(numpy_helper.from_array(column, bias.name))
        logits = gemm.output[0]
        inputs = [gemm.input[1], transpose.input[0], gemm.input[2]]
        product = helper.make_node("Gemm", inputs, [f"{logits}_columns"], name=f"{gemm.name}_columns")
        back = helper.make_node("Transpose", product.output, [logits], name=f"{gemm.name}_rows", perm=[1, 0])
        position = list(graph.node).index(gemm)
        graph.node.insert(position, back)
        graph.node.insert(position, product)
        graph.node.remove(gemm)
        graph.node.remove(transpose)


def narrow_indices(graph: onnx.GraphProto) -> None:
    """Integer narrowing: compute the indices of GatherElements in int32; PyTorch has int64 only."""
    for gather in _nodes(graph, "GatherElements"):
        chain = list(_upstream(graph, gather.input[1]))
        if not chain or chain[-1].op_type != "Cast" or any(len(node.output) != 1 for node in chain):
            continue
        (to,) = (attribute for attribute in chain[-1].attribute if attribute.name == "to")
        to.i = TensorProto.INT32
        for node in chain[:-1]:
            for name in node.input if node.op_type == "Add" else ():
                constant = _initializer(graph, name)
                if constant is not None:
                    narrow = numpy_helper.to_array(constant).astype(np.int32)
                    constant.CopyFrom(numpy_helper.from_array(narrow, constant.name))


def remove_dead_initializers(graph: onnx.GraphProto) -> None:
    """Remove initializers that no node uses any longer: ONNX Runtime warns about them."""
    for tensor in [tensor for tensor in graph.initializer if not _uses(graph, tensor.name)]:
        graph.initializer.remove(tensor)


def _upstream(graph: onnx.GraphProto, name: str) -> Iterator[NodeProto]:
    """The nodes that compute an index, last one first, back to the Cast to an integer."""
    while (node := _producer(graph, name)) is not None and node.op_type in {"Reshape", "Add", "Unsqueeze", "Cast"}:
        yield node
        if node.op_type == "Cast":
            return
        name = node.input[0]


def _nodes(graph: onnx.GraphProto, op_type: str) -> list[NodeProto]:
    return [node for node in graph.node if node.op_type == op_type]


def _producer(graph: onnx.GraphProto, name: str) -> NodeProto | None:
    return next((node for node in graph.node if name in node.output), None)


def _initializer(graph: onnx.GraphProto, name: str) -> TensorProto | None:
    return next((tensor for tensor in graph.initializer if tensor.name == name), None)


def _uses(graph: onnx.GraphProto, name: str) -> int:
    return sum(name in node.input for node in graph.node)
