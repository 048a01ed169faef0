"""The messages of an ONNX file: field number → name and kind, from the standard's onnx-ml.proto (github.com/onnx/onnx).

A field that is not listed is refused by the reader: the exporter writes none. A field that is listed as MESSAGES where
the standard has one message is only checked for its presence.
"""

from typing import Final

from batch_infer.classifier.wire_format import (
    BYTES,
    FIXED32,
    FIXED32S,
    FIXED64S,
    INT,
    INTS,
    MESSAGE,
    MESSAGES,
    TEXT,
    TEXTS,
    Schema,
)

MODEL: Final[Schema] = {
    1: ("ir_version", INT),
    2: ("producer_name", TEXT),
    3: ("producer_version", TEXT),
    4: ("domain", TEXT),
    5: ("model_version", INT),
    6: ("doc_string", TEXT),
    7: ("graph", MESSAGE),
    8: ("opset_import", MESSAGES),
    14: ("metadata_props", MESSAGES),
    20: ("training_info", MESSAGES),
    25: ("functions", MESSAGES),
}
OPSET: Final[Schema] = {1: ("domain", TEXT), 2: ("version", INT)}
ENTRY: Final[Schema] = {1: ("key", TEXT), 2: ("value", TEXT)}
GRAPH: Final[Schema] = {
    1: ("node", MESSAGES),
    2: ("name", TEXT),
    5: ("initializer", MESSAGES),
    10: ("doc_string", TEXT),
    11: ("input", MESSAGES),
    12: ("output", MESSAGES),
    13: ("value_info", MESSAGES),
    15: ("sparse_initializer", MESSAGES),
    16: ("metadata_props", MESSAGES),
}
NODE: Final[Schema] = {
    1: ("input", TEXTS),
    2: ("output", TEXTS),
    3: ("name", TEXT),
    4: ("op_type", TEXT),
    5: ("attribute", MESSAGES),
    6: ("doc_string", TEXT),
    7: ("domain", TEXT),
    8: ("overload", TEXT),
    9: ("metadata_props", MESSAGES),
}
ATTRIBUTE: Final[Schema] = {
    1: ("name", TEXT),
    2: ("f", FIXED32),
    3: ("i", INT),
    4: ("s", BYTES),
    5: ("t", MESSAGE),
    6: ("g", MESSAGES),
    7: ("floats", FIXED32S),
    8: ("ints", INTS),
    9: ("strings", MESSAGES),
    11: ("graphs", MESSAGES),
    13: ("doc_string", TEXT),
    20: ("type", INT),
}
TENSOR: Final[Schema] = {
    1: ("dims", INTS),
    2: ("data_type", INT),
    4: ("float_data", FIXED32S),
    5: ("int32_data", INTS),
    7: ("int64_data", INTS),
    8: ("name", TEXT),
    9: ("raw_data", BYTES),
    10: ("double_data", FIXED64S),
    11: ("uint64_data", INTS),
    12: ("doc_string", TEXT),
    13: ("external_data", MESSAGES),
    14: ("data_location", INT),
    16: ("metadata_props", MESSAGES),
}
VALUE: Final[Schema] = {1: ("name", TEXT), 2: ("type", MESSAGE), 3: ("doc_string", TEXT), 4: ("metadata", MESSAGES)}
TYPE: Final[Schema] = {
    1: ("tensor", MESSAGE),
    4: ("sequence", MESSAGES),
    5: ("map", MESSAGES),
    6: ("denotation", TEXT),
    7: ("opaque", MESSAGES),
    8: ("sparse tensor", MESSAGES),
    9: ("optional", MESSAGES),
}
TENSOR_TYPE: Final[Schema] = {1: ("elem_type", INT), 2: ("shape", MESSAGE)}
SHAPE: Final[Schema] = {1: ("dim", MESSAGES)}
DIMENSION: Final[Schema] = {1: ("dim_value", INT), 2: ("dim_param", TEXT), 3: ("denotation", TEXT)}
