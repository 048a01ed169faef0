"""Which rows the report shows: the same ones, however the rows are cut into chunks and spread over workers."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from batch_infer.contract import MILLION, STATUSES
from batch_infer.predictions import Predictions, error_number
from batch_infer.reports.samples import DOUBTFUL, MISTAKE, REFUSED, Chooser, Sample, Samples


def predictions(confidences, predicted, labels, errors=None):
    """Rows of the given confidences (ppm); the other probabilities are that of the next class."""
    count = len(confidences)
    predicted, numbers = np.array(predicted, np.int8), np.zeros(count, np.uint8)
    ppm = np.zeros((count, 10), np.int32)
    ppm[np.arange(count), predicted] = confidences
    ppm[np.arange(count), (predicted + 1) % 10] += MILLION - np.array(confidences, np.int32)
    for row, code in (errors or {}).items():
        numbers[row], predicted[row] = error_number(code), -1
    statuses = np.where(numbers > 0, STATUSES.index("error"), 0).astype(np.uint8)
    return Predictions("x.idx", 0, np.array(labels, np.int8), predicted, ppm, statuses, numbers)


def part(rows, start, end):
    return Predictions(
        rows.paths, start, rows.labels[start:end], rows.predictions[start:end], rows.probabilities_ppm[start:end],
        rows.statuses[start:end], rows.error_numbers[start:end],
    )  # fmt: skip


def chosen(rows, cuts=(), workers=1, order=None):
    """The numbers of the rows of each kind, if the chunks between the cuts are processed by some workers in turn."""
    ends = [*sorted(cuts), len(rows.labels)]
    chunks = list(zip([0, *ends[:-1]], ends, strict=True))
    choosers = [Chooser() for _ in range(workers)]
    samples = Samples()
    for number, (start, end) in enumerate(chunks if order is None else [chunks[place] for place in order(len(chunks))]):
        choices = choosers[number % workers].choose(part(rows, start, end), start)
        samples.add([Sample(start + row, "", None, 0, 0, (), "", choice) for row, choice in choices.items()])
    return {kind: [sample.row for sample in samples.of(kind)] for kind in range(MISTAKE + 4) if samples.of(kind)}


def test_the_least_confident_answers_come_first_and_of_equals_the_earlier():
    rows = predictions([900_000, 600_000, 700_000, 600_000], [1, 2, 3, 4], [-1] * 4)
    assert chosen(rows) == {DOUBTFUL: [1, 3, 2, 0]}


def test_the_most_confident_mistakes_come_first():
    rows = predictions([900_000, 600_000, 990_000, 990_000], [1, 2, 3, 4], [5, 5, 3, 5])
    found = chosen(rows)
    assert found[MISTAKE] == [3, 0, 1]
    assert {kind: found[kind] for kind in found if kind < MISTAKE} == {51: [0], 52: [1], 33: [2], 54: [3]}


def test_a_cell_has_four_rows_right_ones_the_least_confident_and_wrong_ones_the_most_confident():
    rows = predictions([600_000 + 1000 * row for row in range(20)], [1] * 20, [1, 7] * 10)
    found = chosen(rows)
    assert found[11] == [0, 2, 4, 6]
    assert found[71] == [19, 17, 15, 13]


def test_rows_with_an_error_are_shown_if_they_are_refused_pictures():
    rows = predictions([0] * 4, [0] * 4, [3] * 4, {0: "no_digit", 1: "truncated", 2: "several_digits", 3: "no_digit"})
    found = chosen(rows)
    assert {kind: sorted(numbers) for kind, numbers in found.items()} == {
        REFUSED["several_digits"]: [2],
        REFUSED["no_digit"]: [0, 3],
    }


def test_of_many_refused_pictures_24_from_everywhere_are_shown():
    count = 10_000
    rows = predictions([0] * count, [0] * count, [-1] * count, dict.fromkeys(range(count), "no_digit"))
    (numbers,) = chosen(rows).values()
    assert len(set(numbers)) == 24
    assert 0.2 < np.mean(numbers) / count < 0.8
    assert max(numbers) > 0.8 * count


ROWS = st.lists(
    st.tuples(
        st.integers(500_000, 500_008), st.integers(0, 2), st.integers(-1, 2), st.sampled_from([None, "no_digit"])
    ),
    min_size=1,
    max_size=400,
)


@given(ROWS, st.lists(st.integers(0, 400), max_size=12), st.integers(1, 3), st.randoms())
def test_the_choice_does_not_depend_on_chunks_workers_and_their_order(drawn, cuts, workers, random):
    rows = predictions(
        [row[0] for row in drawn], [row[1] for row in drawn], [row[2] for row in drawn],
        {number: row[3] for number, row in enumerate(drawn) if row[3]},
    )  # fmt: skip
    cuts = {cut for cut in cuts if cut < len(drawn)}
    assert chosen(rows, cuts, workers, lambda count: random.sample(range(count), count)) == chosen(rows)


def test_a_worker_sends_few_of_a_million_rows():
    random = np.random.default_rng(0)
    chooser, sent, count = Chooser(), 0, 4096
    for first_row in range(0, 1_000_000, count):
        rows = predictions(random.integers(500_000, MILLION, count), [1] * count, random.integers(-1, 2, count))
        sent += len(chooser.choose(rows, first_row))
    assert sent < 6_000
