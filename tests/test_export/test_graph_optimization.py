"""Graph optimizations: each is applied, and none changes the logits beyond rounding."""

import numpy as np
import onnx
import onnxruntime
import pytest

from export import to_onnx as exporter
from export.parity import edge_images
from train.model.softmax import SoftmaxRegression

pytestmark = pytest.mark.slow  # exports: not for --quick


def logits(proto, images):
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"images": images})[0]


@pytest.fixture(scope="module", params=["pixels", "deskew", "strokes"])
def graphs(request):
    """The recipe's graph as PyTorch exports it, and the optimized one."""
    model = SoftmaxRegression(request.param, seed=1).eval()
    optimized = exporter.to_onnx(model, opset=18)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exporter, "optimize_graph", lambda _: None)
        plain = exporter.to_onnx(model, opset=18)
    return request.param, plain, optimized


def test_the_optimized_graph_gives_the_same_logits(graphs, mnist):
    _, plain, optimized = graphs
    for images in (mnist.images[:500], edge_images(), mnist.images[:1]):
        np.testing.assert_allclose(logits(optimized, images), logits(plain, images), rtol=1e-5, atol=1e-5)


def test_the_optimized_graph_is_valid_and_has_no_more_nodes(graphs):
    recipe, plain, optimized = graphs
    onnx.checker.check_model(optimized, full_check=True)
    assert len(optimized.graph.node) <= len(plain.graph.node)
    used = {name for node in optimized.graph.node for name in node.input}
    assert {tensor.name for tensor in optimized.graph.initializer} <= used
    kinds = [node.op_type for node in optimized.graph.node]
    if recipe == "pixels":
        assert kinds == ["Reshape", "Cast", "Gemm", "Softmax"]  # no division
    else:
        assert kinds[-3:] == ["Gemm", "Transpose", "Softmax"]  # ten logits are transposed, not all features
        casts = [node.attribute[0].i for node in optimized.graph.node if node.op_type == "Cast"]
        assert onnx.TensorProto.INT32 in casts
        assert onnx.TensorProto.INT64 not in casts
