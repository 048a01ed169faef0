"""JSON Lines: each line is an object with the fields of the CSV, the same decimals, null for what is empty."""

import csv
import io
import json
import os
from urllib.parse import unquote_to_bytes

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.predictions import batch

from batch_infer.contract import COLUMNS, PROBABILITY_COLUMNS
from batch_infer.outputs.csv_encoder import encode_csv
from batch_infer.outputs.jsonl_encoder import encode_jsonl
from batch_infer.paths import escape_path
from batch_infer.predictions import Predictions

TEXTS = {"path", "status", "error"}


def objects(content: bytes) -> list[dict[str, object]]:
    """The objects of the lines; numbers as they are written, other constants (NaN) are refused."""
    text = content.decode()
    assert not text or text.endswith("\n")

    def refuse(name):
        raise AssertionError(name)

    reader = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=refuse)
    return [reader.decode(line) for line in text.split("\n")[:-1]]


def cells(rows: Predictions, *, probabilities: bool) -> list[dict[str, object]]:
    """The rows of the CSV, with None for what is empty; only a path may be an empty text."""
    names = COLUMNS + PROBABILITY_COLUMNS * probabilities
    table = csv.reader(io.StringIO(encode_csv(rows, probabilities=probabilities).decode(), newline=""))
    return [
        {name: cell if cell or name == "path" else None for name, cell in zip(names, row, strict=True)} for row in table
    ]


def test_these_bytes():
    assert encode_jsonl(batch(), probabilities=False) == (
        b'{"path":"a.png","index":null,"label":7,"prediction":7,"confidence":0.999999,"status":"ok","error":null}\n'
        b'{"path":"say \\"hi\\", you.png","index":null,"label":null,"prediction":0,"confidence":0.500000,'
        b'"status":"low_confidence","error":null}\n'
        b'{"path":"gr\xc3\xbc\xc3\x9fe.png","index":null,"label":3,"prediction":null,"confidence":null,'
        b'"status":"error","error":"not_an_image"}\n'
    )


def test_these_bytes_with_probabilities_and_an_index():
    first, _, third = encode_jsonl(batch(start=1024, paths="i"), probabilities=True).splitlines()
    assert first == (
        b'{"path":"i","index":1024,"label":7,"prediction":7,"confidence":0.999999,"status":"ok","error":null,'
        b'"prob_0":0.000000,"prob_1":0.000000,"prob_2":0.000000,"prob_3":0.000001,"prob_4":0.000000,'
        b'"prob_5":0.000000,"prob_6":0.000000,"prob_7":0.999999,"prob_8":0.000000,"prob_9":0.000000}'
    )
    assert third.endswith(b'"prob_0":null' + b"".join(b',"prob_%d":null' % digit for digit in range(1, 10)) + b"}")


def test_without_rows_there_is_nothing():
    none = np.zeros(0, np.int8)
    rows = Predictions([], None, none, none, np.zeros((0, 10), np.int32), none.view(np.uint8), none.view(np.uint8))
    assert encode_jsonl(rows, probabilities=True) == b""


NAMES = st.one_of(
    st.binary(min_size=1, max_size=12).map(os.fsdecode),
    st.text(min_size=1, max_size=12, alphabet=st.characters(exclude_categories=["Cs"])),
    st.sampled_from(["\\", '\\"', '"', "a\nb", "\u2028", "\x7f", "%0A", "=1+1", "\\u0041", "\x00", "é\x9f"]),
)


@settings(max_examples=200, deadline=None)
@given(
    names=st.one_of(NAMES, st.lists(NAMES, min_size=30, max_size=30)),
    index=st.one_of(st.none(), st.integers(0, 1200), st.integers(0, 10**10), st.just("pages")),
    kinds=st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 9)), max_size=30),
    probabilities=st.booleans(),
    seed=st.integers(0, 999),
)
def test_any_rows_with_any_names_have_the_fields_and_decimals_of_the_csv(names, index, kinds, probabilities, seed):
    rng, count = np.random.default_rng(seed), len(kinds)
    ppm = rng.integers(0, 1_000_001, (count, 10)).astype(np.int32)
    ppm[::3, 4] = 1_000_000
    errors = np.array([kind + 3 if kind >= 2 else 0 for kind, _ in kinds], np.uint8)
    rows = Predictions(
        paths=escape_path(names) if isinstance(names, str) else [escape_path(name) for name in names[:count]],
        start=index if isinstance(index, int) else None,
        labels=np.array([label for _, label in kinds], np.int8),
        predictions=np.where(errors, -1, ppm.argmax(axis=1)).astype(np.int8),
        probabilities_ppm=ppm,
        statuses=np.array([min(kind, 2) for kind, _ in kinds], np.uint8),
        error_numbers=errors,
        pages=rng.integers(-1, 120, count).astype(np.int32) if index == "pages" and count else None,
    )
    content = encode_jsonl(rows, probabilities=probabilities)
    assert objects(content) == cells(rows, probabilities=probabilities)
    for row, read in enumerate(map(json.loads, content.split(b"\n")[:-1])):
        assert all(isinstance(value, str) == (name in TEXTS) for name, value in read.items() if value is not None)
        name = names if isinstance(names, str) else names[row]
        assert unquote_to_bytes(read["path"]) == os.fsencode(name)


@pytest.mark.parametrize("probabilities", [False, True])
def test_pandas_reads_it_as_the_readme_says(tmp_path, probabilities):
    (tmp_path / "p.jsonl").write_bytes(encode_jsonl(batch(start=5), probabilities=probabilities))
    whole = dict.fromkeys(("index", "label", "prediction"), "Int64")
    frame = pd.read_json(tmp_path / "p.jsonl", lines=True, dtype={"path": str, **whole})
    assert frame["path"].tolist() == ["a.png", 'say "hi", you.png', "grüße.png"]
    assert frame["index"].tolist() == [5, 6, 7]
    assert frame["label"].fillna(-1).tolist() == [7, -1, 3]
    assert frame["prediction"].fillna(-1).tolist() == [7, 0, -1]
    assert frame["confidence"].fillna(-1).tolist() == [0.999999, 0.5, -1]
    assert [str(frame[name].dtype) for name in whole] == ["Int64"] * 3
    assert frame.shape[1] == 7 + 10 * probabilities
