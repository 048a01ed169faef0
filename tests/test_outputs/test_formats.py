"""Tables and the files they become."""

import gzip
import hashlib
import io
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from support.predictions import batch

from batch_infer.errors import UsageError
from batch_infer.outputs.formats import format_for, stem
from batch_infer.predictions import Predictions

HEADER = b'"path","index","label","prediction","confidence","status","error"\n'
DTYPES = {"index": "Int64", "label": "Int64", "prediction": "Int64"}


def written(name: str, *batches: Predictions, probabilities=False) -> bytes:
    """The finished file that some chunks become."""
    kind = format_for(name, probabilities=probabilities)
    with tempfile.TemporaryFile() as spool, tempfile.NamedTemporaryFile() as destination:
        spool.write(kind.header())
        for part in batches:
            spool.write(kind.encode(part))
        if kind.finish is None:
            spool.seek(0)
            return spool.read()
        kind.finish(spool, destination)
        destination.flush()
        return Path(destination.name).read_bytes()


def test_csv_is_these_bytes():
    assert written("x.csv", batch()) == HEADER + (
        b'"a.png",,7,7,0.999999,"ok",\n'
        b'"say ""hi"", you.png",,,0,0.500000,"low_confidence",\n'
        b'"gr\xc3\xbc\xc3\x9fe.png",,3,,,"error","not_an_image"\n'
    )


def test_csv_of_idx_images_has_their_index():
    assert written("x.csv", batch(start=1024, paths="i")) == HEADER + (
        b'"i",1024,7,7,0.999999,"ok",\n"i",1025,,0,0.500000,"low_confidence",\n"i",1026,3,,,"error","not_an_image"\n'
    )


def test_probabilities_are_ten_more_columns_that_are_empty_on_error():
    header, first, second, third = written("x.csv", batch(), probabilities=True).splitlines()
    assert header == HEADER.rstrip() + b"," + b",".join(b'"prob_%d"' % digit for digit in range(10))
    zero = b"0.000000"
    assert first.split(b",")[-10:] == [zero, zero, zero, b"0.000001", zero, zero, zero, b"0.999999", zero, zero]
    assert second.split(b",")[-10:] == [b"0.500000", b"0.500000", *[zero] * 8]
    assert third.endswith(b'"error","not_an_image"' + b"," * 10)


def test_a_certain_prediction_is_exactly_one():
    certain = Predictions(
        paths=["a"],
        start=None,
        labels=np.array([-1], np.int8),
        predictions=np.array([0], np.int8),
        probabilities_ppm=np.array([[1_000_000, *[0] * 9]], np.int32),
        statuses=np.zeros(1, np.uint8),
        error_numbers=np.zeros(1, np.uint8),
    )
    assert written("x.csv", certain) == HEADER + b'"a",,,0,1.000000,"ok",\n'


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_without_rows_the_header_is_there(name):
    content = written(name)
    assert (gzip.decompress(content) if name.endswith("gz") else content) == HEADER


def test_gzip_csv_is_the_csv_compressed():
    assert gzip.decompress(written("x.csv.gz", batch(), batch())) == written("x.csv", batch(), batch())


def test_gzip_csv_holds_no_time():
    content = written("x.csv.gz", batch())
    assert content[4:8] == b"\0\0\0\0"
    assert content == written("x.csv.gz", batch())


def test_parquet_has_the_columns_of_the_csv_with_numbers_as_numbers():
    schema = pq.read_schema(io.BytesIO(written("x.parquet", batch())))
    assert [(field.name, str(field.type)) for field in schema] == [
        ("path", "string"),
        ("index", "int64"),
        ("label", "int8"),
        ("prediction", "int8"),
        ("confidence", "double"),
        ("status", "string"),
        ("error", "string"),
    ]


def test_parquet_has_ten_probabilities_as_floats():
    schema = pq.read_schema(io.BytesIO(written("x.parquet", batch(), probabilities=True)))
    assert [(field.name, str(field.type)) for field in schema][7:] == [
        (f"prob_{digit}", "double") for digit in range(10)
    ]


def test_parquet_has_the_values_of_the_csv():
    table = pq.read_table(io.BytesIO(written("x.parquet", batch(start=5)))).to_pydict()
    assert table == {
        "path": ["a.png", 'say "hi", you.png', "grüße.png"],
        "index": [5, 6, 7],
        "label": [7, None, 3],
        "prediction": [7, 0, None],
        "confidence": [0.999999, 0.5, None],
        "status": ["ok", "low_confidence", "error"],
        "error": [None, None, "not_an_image"],
    }


def test_parquet_of_many_chunks_keeps_their_order():
    parts = [batch(start=3 * number) for number in range(150)]
    assert pq.read_table(io.BytesIO(written("x.parquet", *parts)))["index"].to_pylist() == list(range(450))


def test_parquet_without_rows_has_its_columns():
    assert pq.read_table(io.BytesIO(written("x.parquet"))).shape == (0, 7)


def test_parquet_written_twice_is_the_same_bytes():
    assert (
        hashlib.sha256(written("x.parquet", batch())).digest() == hashlib.sha256(written("x.parquet", batch())).digest()
    )


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_pandas_reads_the_columns_with_the_documented_dtypes(name, tmp_path):
    (tmp_path / name).write_bytes(written(name, batch(start=5)))
    frame = pd.read_csv(tmp_path / name, dtype=DTYPES)
    assert {column: str(frame[column].dtype) for column in (*DTYPES, "confidence")} == {
        "index": "Int64", "label": "Int64", "prediction": "Int64", "confidence": "float64",
    }  # fmt: skip
    assert frame["path"].tolist() == ["a.png", 'say "hi", you.png', "grüße.png"]
    assert frame["index"].tolist() == [5, 6, 7]
    assert frame["label"].fillna(-1).tolist() == [7, -1, 3]
    assert frame["prediction"].fillna(-1).tolist() == [7, 0, -1]
    assert frame["confidence"].fillna(-1).tolist() == [0.999999, 0.5, -1]
    assert frame["status"].tolist() == ["ok", "low_confidence", "error"]


@pytest.mark.parametrize("name", ["p", "p.txt", "csv", "p.csv.zip", ".gz", "p.json", "p.jsonl.gz"])
def test_another_suffix_is_wrong_usage(name):
    with pytest.raises(UsageError) as caught:
        format_for(name, probabilities=False)
    assert str(caught.value) == f"--out {name}: expected a name ending in .csv, .csv.gz, .jsonl or .parquet"


@pytest.mark.parametrize(
    ("out", "expected"),
    [("a/p.csv", "a/p"), ("p.csv.gz", "p"), ("p.parquet", "p"), ("p.jsonl", "p"), ("p.v2.csv", "p.v2"), ("P.CSV", "P")],
)
def test_reports_are_named_by_the_stem_without_the_suffix_of_the_format(out, expected):
    assert stem(out) == expected
