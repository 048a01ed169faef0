"""Opens and checks an exported model, and runs it.

bytes → model_graph      are all operators, types and sizes harmless?                    before ONNX Runtime sees it
      → onnx_classifier  ONNX Runtime opens it, in bounded memory and time               protection
      → metadata         what the exporter wrote about it
      → output_checks    known answers, probabilities = softmax(logits), each row independent of the others
"""

from batch_infer.classifier.model_file import BUNDLED_MODEL, read_model
from batch_infer.classifier.onnx_classifier import OnnxClassifier

__all__ = ["BUNDLED_MODEL", "OnnxClassifier", "read_model"]
