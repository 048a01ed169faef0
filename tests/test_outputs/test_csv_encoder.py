"""CSV lines computed digit by digit: byte for byte what the general writer makes."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_infer.outputs.arrow import record_batch
from batch_infer.outputs.csv_encoder import encode_csv
from batch_infer.outputs.formats import arrow_to_csv
from batch_infer.predictions import Predictions


def rows(start=0, count=5, *, name="a/digits.idx", labelled=False, status=0, seed=0):
    rng = np.random.default_rng(seed)
    ppm = rng.integers(0, 1_000_001, (count, 10)).astype(np.int32)
    ppm[::3, 4] = 1_000_000
    ppm[1::3, 5] = rng.integers(0, 10, len(ppm[1::3]))
    return Predictions(
        paths=name,
        start=start,
        labels=rng.integers(0, 10, count).astype(np.int8) if labelled else np.full(count, -1, np.int8),
        predictions=ppm.argmax(1).astype(np.int8),
        probabilities_ppm=ppm,
        statuses=np.full(count, status, np.uint8),
        error_numbers=np.zeros(count, np.uint8),
    )


@settings(max_examples=300, deadline=None)
@given(
    start=st.one_of(st.integers(0, 120), st.integers(0, 10**10), st.integers(1, 9).map(lambda k: 10**k - 3)),
    count=st.integers(1, 300),
    name=st.sampled_from(["x", 'say "x"', "grüße/七.idx", "%0A", "a,b", " "]),
    labelled=st.booleans(),
    status=st.sampled_from([0, 1]),
    probabilities=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_lines_are_those_of_the_general_writer(start, count, name, labelled, status, probabilities, seed):
    some = rows(start, count, name=name, labelled=labelled, status=status, seed=seed)
    expected = arrow_to_csv(record_batch(some, probabilities=probabilities))
    assert encode_csv(some, probabilities=probabilities) == expected


def test_literal_bytes():
    one = rows(9, 2)
    one.probabilities_ppm[:] = 0
    one.probabilities_ppm[:, 7] = 999_999
    one.predictions[:] = 7
    assert (
        encode_csv(one, probabilities=False)
        == b'"a/digits.idx",9,,7,0.999999,"ok",\n"a/digits.idx",10,,7,0.999999,"ok",\n'
    )


def image_files():
    some = rows()
    columns = (some.labels, some.predictions, some.probabilities_ppm, some.statuses, some.error_numbers)
    return Predictions(["a", 'b"c"', "七", "", "d,e"], None, *columns)


def with_an_error():
    some = rows()
    some.error_numbers[2], some.statuses[2], some.predictions[2] = 1, 2, -1
    return some


def with_two_statuses():
    some = rows()
    some.statuses[1] = 1
    return some


def with_an_unknown_label():
    some = rows(labelled=True)
    some.labels[3] = -1
    return some


def without_rows():
    return rows(count=0)


@pytest.mark.parametrize("probabilities", [False, True])
@pytest.mark.parametrize("make", [image_files, with_an_error, with_two_statuses, with_an_unknown_label, without_rows])
def test_rows_without_a_common_form_are_written_as_by_the_general_writer(make, probabilities):
    expected = arrow_to_csv(record_batch(make(), probabilities=probabilities))
    assert encode_csv(make(), probabilities=probabilities) == expected


@settings(max_examples=200, deadline=None)
@given(
    paths=st.one_of(
        st.sampled_from(["x.idx", 'say "x"']),
        st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"])), min_size=40, max_size=40),
    ),
    start=st.one_of(st.none(), st.integers(0, 1200)),
    count=st.integers(0, 40),
    kinds=st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 9)), min_size=40, max_size=40),
    probabilities=st.booleans(),
)
def test_any_mixture_of_rows_is_written_as_by_the_general_writer(paths, start, count, kinds, probabilities):
    some = rows(count=count)
    for row, (kind, label) in enumerate(kinds[:count]):
        some.labels[row] = label
        some.statuses[row] = min(kind, 2)
        if kind >= 2:
            some.error_numbers[row], some.predictions[row] = kind + 3, -1
    columns = (some.labels, some.predictions, some.probabilities_ppm, some.statuses, some.error_numbers)
    mixed = Predictions(paths if isinstance(paths, str) else paths[:count], start, *columns)
    expected = arrow_to_csv(record_batch(mixed, probabilities=probabilities))
    assert encode_csv(mixed, probabilities=probabilities) == expected


@settings(max_examples=200, deadline=None)
@given(pages=st.lists(st.integers(-1, 99) | st.integers(-1, 12_000), min_size=1, max_size=40), seed=st.integers(0, 99))
def test_pages_are_written_as_the_general_writer_writes_them(pages, seed):
    some = rows(count=len(pages), labelled=bool(seed % 2), seed=seed)
    columns = (some.labels, some.predictions, some.probabilities_ppm, some.statuses, some.error_numbers)
    names = [f"{number // 2}.tif" for number in range(len(pages))]
    paged = Predictions(names, None, *columns, pages=np.array(pages, np.int32))
    assert encode_csv(paged, probabilities=True) == arrow_to_csv(record_batch(paged, probabilities=True))


def test_literal_bytes_of_pages():
    some = rows(count=3)
    some.probabilities_ppm[:] = 0
    some.probabilities_ppm[:, 7] = 999_999
    some.predictions[:] = 7
    columns = (some.labels, some.predictions, some.probabilities_ppm, some.statuses, some.error_numbers)
    paged = Predictions(["a.tif", "a.tif", "b.png"], None, *columns, pages=np.array([9, 10, -1], np.int32))
    assert encode_csv(paged, probabilities=False) == (
        b'"a.tif",9,,7,0.999999,"ok",\n"a.tif",10,,7,0.999999,"ok",\n"b.png",,,7,0.999999,"ok",\n'
    )
