"""The operators that a model may have, in three lists by the type of their results.

All are pure, look at nothing but their inputs, and cannot make something huge out of something small. Missing on
purpose: control flow (If, Loop, Scan, SequenceMap), sequences and optional values, text, randomness (RandomNormal,
Bernoulli, Dropout), sizes made of numbers (Expand, Tile, Range, ConstantOfShape, OneHot, Resize), sizes made of
contents (NonZero, Compress, Unique), what looks at the whole batch (DynamicQuantizeLinear), integers' remainders (that
of the lowest integer by -1 kills the process), and operators with which ONNX Runtime crashed on wrong attributes or
empty inputs (GatherND, InstanceNormalization). What the exporter needs and is harmless may be added.
"""

from typing import Final

_FLOAT: Final = """
    Acos Acosh Asin Asinh Atan Atanh AveragePool BatchNormalization Ceil Conv Cos Cosh Elu Exp Floor
    GlobalAveragePool GlobalMaxPool HardSigmoid HardSwish Hardmax LayerNormalization LeakyRelu Log LogSoftmax Reciprocal
    Round Selu Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt Tan Tanh
"""
_SAME_TYPE: Final = """
    Abs Add Clip Concat Div Einsum Erf Flatten Gather GatherElements Gemm Identity MatMul Max MaxPool Mean Min Mul Neg
    PRelu Pad Pow ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax ReduceMean ReduceMin ReduceProd ReduceSum
    ReduceSumSquare Relu Reshape Sign Slice Split Squeeze Sub Sum Transpose Unsqueeze
"""
_OTHER: Final = """
    And ArgMax ArgMin Cast Constant Equal Greater GreaterOrEqual IsInf IsNaN Less LessOrEqual Not Or Shape Size Where
    Xor
"""

FLOAT_OPERATORS: Final = frozenset(_FLOAT.split())  # from floating-point numbers to floating-point numbers
SAME_TYPE_OPERATORS: Final = frozenset(_SAME_TYPE.split())  # results have the type of the first input
ALLOWED_OPERATORS: Final = FLOAT_OPERATORS | SAME_TYPE_OPERATORS | frozenset(_OTHER.split())
