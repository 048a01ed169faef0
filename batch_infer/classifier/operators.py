"""The operators that a model may have: pure, and with results whose size follows from the shapes of their inputs.

Not here, on purpose: control flow (If, Loop, Scan, SequenceMap), sequences and optional values, text,
randomness (RandomNormal, Bernoulli, Dropout), sizes given by values (Expand, Tile, Range, ConstantOfShape, OneHot,
Resize), sizes that depend on contents (NonZero, Compress, Unique), and what mixes the rows of a batch
(DynamicQuantizeLinear).
"""

from typing import Final

_ELEMENTWISE: Final = """
    Abs Acos Acosh Add And Asin Asinh Atan Atanh BitShift BitwiseAnd BitwiseNot BitwiseOr BitwiseXor Cast CastLike Ceil
    Celu Clip Cos Cosh Div Elu Equal Erf Exp Floor Gelu Greater GreaterOrEqual HardSigmoid HardSwish Identity IsInf
    IsNaN LeakyRelu Less LessOrEqual Log Max Mean Min Mish Mod Mul Neg Not Or PRelu Pow Reciprocal Relu Round Selu
    Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Sub Sum Swish Tan Tanh ThresholdedRelu Where Xor
"""
_SUMS: Final = """
    ArgMax ArgMin AveragePool BatchNormalization Conv CumSum Einsum Gemm GlobalAveragePool GlobalMaxPool
    GroupNormalization Hardmax InstanceNormalization LRN LayerNormalization LogSoftmax LpNormalization LpPool MatMul
    MaxPool MeanVarianceNormalization RMSNormalization ReduceL1 ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMax
    ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Softmax TopK
"""
_LAYOUT: Final = """
    Concat Constant DepthToSpace Flatten Gather GatherElements GatherND GridSample Pad Reshape ScatterElements ScatterND
    Shape Size Slice SpaceToDepth Split Squeeze Transpose Trilu Unsqueeze
"""
_INTEGERS: Final = "ConvInteger DequantizeLinear MatMulInteger QLinearConv QLinearMatMul QuantizeLinear"

ALLOWED_OPERATORS: Final = frozenset(f"{_ELEMENTWISE} {_SUMS} {_LAYOUT} {_INTEGERS}".split())
