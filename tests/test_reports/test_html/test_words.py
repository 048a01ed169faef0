"""Numbers and texts of the page."""

import math
import re

import pytest
from support.helpers import ROOT

from batch_infer.reports.html import words


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.98434, "98.43%"), (1, "100.00%"), (0, "0.00%"), (0.99999, ">99.99%"), (0.00001, "<0.01%"), (None, "–")],
)
def test_a_share_is_not_rounded_to_all_or_nothing(share, text):
    assert words.percent(share) == text


def test_no_number_is_a_dash():
    assert words.percent(math.nan) == "–"


@pytest.mark.parametrize(("seconds", "text"), [(0.42, "0.4 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")])
def test_a_time_span(seconds, text):
    assert words.duration(seconds) == text


def test_a_moment():
    assert words.moment("2026-11-27T03:00:12.345Z") == "2026-11-27 03:00:12 UTC"
    assert words.moment("yesterday") == "yesterday"


@pytest.mark.parametrize(("number", "text"), [(1, "1 row"), (0, "0 rows"), (2000, "2,000 rows")])
def test_a_number_with_its_noun(number, text):
    assert words.several(number, "row") == text


@pytest.mark.parametrize(("number", "text"), [(0, "0"), (100, "100"), (10_000, "10k"), (10**6, "1M"), (10**10, "10G")])
def test_a_power_of_ten(number, text):
    assert words.power(number) == text


def test_a_long_text_keeps_its_end():
    assert words.shortened("/srv/scans/a.png", 8) == "…s/a.png"
    assert words.shortened("a.png", 8) == "a.png"


def test_the_codes_that_publish_a_report_are_documented():
    table = (ROOT / "batch_infer/README.md").read_text().partition("## Exit codes")[2]
    documented = {int(code) for code in re.findall(r"^\| (\d+)", table, re.MULTILINE)}
    assert set(words.EXIT_MEANINGS) <= documented
