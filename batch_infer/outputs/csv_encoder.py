"""Rows → CSV lines (RFC 4180): text cells quoted, empty where there is no value."""

from typing import Final

from batch_infer.contract import COLUMNS, PROBABILITY_COLUMNS
from batch_infer.outputs.line_encoder import Syntax, encode_lines
from batch_infer.predictions import Predictions


def encode_csv(rows: Predictions, *, probabilities: bool) -> bytes:
    """Write rows exactly as formats.arrow_to_csv writes their Arrow table, byte for byte.

    Args:
        rows: the rows of one chunk.
        probabilities: add the ten columns.
    """
    return encode_lines(rows, _SYNTAX, probabilities=probabilities)


_SYNTAX: Final = Syntax(
    start='"',
    escapes=(('"', '""'),),
    before=dict.fromkeys(COLUMNS + PROBABILITY_COLUMNS, b",") | {COLUMNS[1]: b'",'},
    end=b"\n",
    empty=b"",
)
