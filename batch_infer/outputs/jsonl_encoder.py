"""Rows → JSON Lines: one object per row, with the fields and decimals of the CSV; null where there is no value."""

from typing import Final

from batch_infer.contract import COLUMNS, PROBABILITY_COLUMNS
from batch_infer.outputs.line_encoder import Syntax, encode_lines
from batch_infer.predictions import Predictions


def encode_jsonl(rows: Predictions, *, probabilities: bool) -> bytes:
    """Write rows as JSON objects (RFC 8259), one per line: UTF-8, no blanks, fields in the order of the CSV's columns.

    Args:
        rows: the rows of one chunk.
        probabilities: add the ten fields.
    """
    return encode_lines(rows, _SYNTAX, probabilities=probabilities)


_FIELDS: Final = COLUMNS[1:] + PROBABILITY_COLUMNS
_SYNTAX: Final = Syntax(
    start=f'{{"{COLUMNS[0]}":"',
    escapes=(("\\", "\\\\"), ('"', '\\"')),
    before={name: b'%b,"%b":' % (b'"' * (name == _FIELDS[0]), name.encode()) for name in _FIELDS},
    end=b"}\n",
    empty=b"null",
)
