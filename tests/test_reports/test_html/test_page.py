"""The page as a file: the same bytes, nothing outside, nothing that a name can inject, its size."""

import base64
import hashlib
import re
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
from support.report_content import errors_content, mnist_content, with_history

from batch_infer import __version__
from batch_infer.reports.html.content import ErrorGroup, ReportContent, ReportRow
from batch_infer.reports.html.page import render

HOSTILE = (
    "<script>alert(1)</script>.png",
    '"><img src=x onerror=alert(1)>.png',
    "' onmouseover='alert(1).png",
    "</style><b>.png",
    "javascript:alert(1)",
    "{{ 7 * 7 }}{% raw %}.png",
    "&lt;b&gt;.png",
    "<!--.png",
)


class Parts(HTMLParser):
    """All elements with their attributes, and all text."""

    def __init__(self, page: bytes) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page.decode())

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data


def test_the_same_content_gives_the_same_bytes(pictures):
    assert render(pictures) == render(pictures)


def test_it_says_early_whose_file_it_is(pictures):
    mark = f'<meta name="generator" content="mnist-logistic {__version__} report">'
    assert render(pictures).find(mark.encode()) in range(500)


def test_nothing_in_it_refers_to_another_file(pictures):
    addresses = [
        value
        for _, attributes in Parts(render(pictures)).elements
        for name, value in attributes.items()
        if name in {"src", "href", "action", "data", "srcset", "poster", "formaction", "xlink:href"}
    ]
    assert {address.partition(":")[0] for address in addresses if not address.startswith("#")} == {"data"}
    assert not re.search(rb"url\((?!data:)|@import|https?://", render(pictures))


def test_the_policy_allows_only_its_own_styles_and_script(pictures):
    page = render(pictures).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)[1].replace("&#39;", "'")
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules.pop("style-src").split() == hashes("style", page)
    assert rules.pop("script-src").split() == hashes("script", page)
    assert rules == {"default-src": "'none'", "img-src": "data:", "base-uri": "'none'", "form-action": "'none'"}
    assert not re.search(r"<[^>]* (style|on[a-z]+)=", page)


def hashes(tag, page):
    sources = re.findall(f"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    return [f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'" for source in sources]


def test_the_parts_are_in_their_order(pictures):
    found = re.findall(r'<h2 id="([a-z]*)"', render(pictures).decode())
    assert found == ["run", "counts", "review", "accuracy", "confidence", "history"]


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_is_text_wherever_it_stands(name):
    row = ReportRow(name, None, 3, 0.5, 4, "", ((3, 0.5), (4, 0.4), (5, 0.1)), None, bytes(784))
    confusion = np.zeros((10, 10), np.int64)
    confusion[4, 3] = 1
    shown = errors_content()
    run = {
        **shown.run,
        "inputs": [name],
        "predictions": f"/srv/{name}",
        "notices": [name],
        "gates_failed": [name],
        "error": name,
        "exit_code": 8,
        "skipped_suffixes": {name: 1},
        "skipped": {name: 1},
        "model": {"path": name, "sha256": name, "recipe": name},
        "versions": {name: name},
        "drift": {"words": name},
    }
    tally = replace(shown.tally, confusion=confusion)
    content = ReportContent(
        run=run,
        card=((name, name),),
        errors=(ErrorGroup("truncated", 3, (name,), "Copy it again."),),
        review=(row,),
        refused=(replace(row, prediction=None, error="no_digit", path=f"{name}2"),),
        tally=tally,
        cells={(4, 3): (row,)},
    )
    harmless = render(replace(content, run={**run, "predictions": "/srv/p"}))
    plain = Parts(re.sub(re.escape(html_escape(name)).encode(), b"x", harmless))
    parts = Parts(harmless)
    assert [tag for tag, _ in parts.elements] == [tag for tag, _ in plain.elements]
    assert parts.text.count(name) >= 10
    assert {tag for tag, _ in Parts(render(content)).elements} == {tag for tag, _ in parts.elements}


def html_escape(text):
    import markupsafe

    return str(markupsafe.escape(text))


def test_a_path_is_isolated_from_the_direction_of_its_letters():
    row = ReportRow("/srv/שלום.png", 7, 3, 0.5, None, "", ((3, 0.5),))
    page = render(ReportContent(run={}, review=(row,)))
    assert "<bdi>/srv/שלום.png</bdi>".encode() in page


def test_bidi_marks_controls_and_bytes_that_are_no_text_are_shown_escaped():
    page = render(ReportContent(run={"notices": ["a\u202egnp.exe", "b\0\x1b\n", "c\udcff", "d%20 é"]}))
    for shown in ("a%E2%80%AEgnp.exe", "b%00%1B%0A", "c%FF", "d%20 é"):
        assert f"<bdi>{shown}</bdi>".encode() in page


def test_an_empty_run_has_a_page():
    parts = Parts(render(ReportContent(run={})))
    assert "There were no labels, so nothing is known of the accuracy." in parts.text
    assert "To review" not in parts.text
    assert "Earlier runs" not in parts.text
    assert "script" not in {tag for tag, _ in parts.elements}


def test_without_pictures_there_are_none(pictures):
    page = render(replace(pictures, pictures=False))
    assert b"data:image" not in page
    assert b"--report-pictures none" in page


def test_tolerated_errors_are_no_success_of_every_input():
    content = errors_content()
    text = Parts(render(replace(content, run={**content.run, "exit_code": 0}))).text
    assert "no more inputs failed than --max-errors allows" in text
    assert "every input was classified" not in text


@pytest.mark.parametrize(("code", "text"), [(0, "every input was classified"), (3, "some inputs"), (8, "gate failed")])
def test_it_says_what_the_exit_code_means(code, text):
    assert text in Parts(render(ReportContent(run={"exit_code": code}))).text


def test_a_page_of_a_million_rows_stays_below_600_kb():
    content = with_history(mnist_content(2000))
    chance = np.random.default_rng(0)

    def row(number):
        pixels = np.roll(np.frombuffer(content.review[number % 100].seen, np.uint8), number // 100 * 29 + 1).tobytes()
        original = chance.bytes(2000)  # more than a JPEG of 96 × 96 has
        top = ((number % 10, 0.5), (3, 0.3), (5, 0.1))
        path = f"/srv/scans/2026/11/27/station-{number % 7}/{number:08}.png"
        return ReportRow(path, number, number % 10, 0.5, number // 10 % 10, "", top, original, pixels)

    rows = [row(number) for number in range(1000)]
    refused = tuple(replace(one, error="no_digit", prediction=None, seen=None) for one in rows[-48:])
    cells = {(cell // 10, cell % 10): tuple(rows[400 + 4 * cell : 404 + 4 * cell]) for cell in range(100)}
    content.tally.confusion[:] *= 500
    page = render(replace(content, review=tuple(rows[:400]), refused=refused, cells=cells))
    assert len(page) < 600_000
