"""The report for people of real runs: what is in it, that it is always the same, and when there is none."""

import base64
import io
import json
import os
import re

import numpy as np
import pytest
from PIL import Image
from support.helpers import ROOT, save_png
from support.report_page import ReportPage

from batch_infer import __version__, normalize, run_job
from batch_infer.contract import ERROR_CODES
from batch_infer.errors import MissingExtraError, OutputError, UsageError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.reports.html.advice import ADVICE

GOLDEN = ROOT / "tests" / "golden"
KINDS = ("as-it-is", "inverted", "photo-1200-x-900", "several-boxes", "empty-texture", "blue-on-yellow", "ruled-paper")


@pytest.fixture
def page(tmp_path):
    """Run a job and parse its report."""

    def call(*inputs, out="p.csv", **options):
        run_job(inputs, out=tmp_path / out, **{"workers": 1, **options})
        return ReportPage(tmp_path / f"{out.removesuffix('.csv')}.report.html")

    return call


@pytest.fixture
def content(tmp_path, monkeypatch):
    """Run a job and take what its report is made of."""
    kept = []
    monkeypatch.setattr("batch_infer.reports.html.page.render", lambda content: kept.append(content) or b"<meta>")

    def call(*inputs, **options):
        run_job(inputs, out=tmp_path / "p.csv", **{"workers": 1, **options})
        (tmp_path / "p.report.html").unlink()  # it is not a report of ours
        return kept.pop()

    return call


@pytest.fixture
def kinds(tmp_path):
    """A folder of golden pictures of some kinds."""
    for kind in KINDS:
        for file in (GOLDEN / kind).iterdir():
            if ".expected" not in file.name and file.suffix != ".txt":
                (tmp_path / "kinds" / kind).mkdir(parents=True, exist_ok=True)
                (tmp_path / "kinds" / kind / file.name).write_bytes(file.read_bytes())
    return tmp_path / "kinds"


def test_each_run_with_an_output_writes_one_page_and_names_it(labelled, tmp_path):
    summary = run_job([labelled], out=tmp_path / "p.csv", workers=1)
    assert summary.reports[0] == str(tmp_path / "p.report.html")
    page = ReportPage(tmp_path / "p.report.html")
    assert ("meta", "content", f"mnist-logistic {__version__} report") in page.attributes
    assert page.tags["html"] == page.tags["body"] == 1


def test_the_page_needs_nothing_but_itself(page, labelled):
    found = page(labelled)
    sources = [value or "" for _, name, value in found.attributes if name in {"src", "href", "action", "srcset"}]
    assert all(value.startswith(("data:", "#")) for value in sources)
    assert not re.search(r"url\((?!data:image/)", found.styles)


def test_without_an_output_or_without_reports_there_is_none(run, labelled, tmp_path):
    assert run(labelled).code == 0
    assert run(labelled, "--out", "p.csv", "--no-report").code == 0
    assert [name for name in os.listdir(tmp_path) if name.endswith(".html")] == []


def test_it_goes_where_the_reports_go(run, labelled, tmp_path):
    (tmp_path / "r").mkdir()
    assert run(labelled, "--report-dir", "r").code == 0
    assert (tmp_path / "r" / "predictions.report.html").exists()


def test_the_least_confident_answers_and_the_mistakes_are_to_review(content, labelled, tmp_path):
    found = content(labelled)
    rows = [line.split(",") for line in (tmp_path / "p.csv").read_text().splitlines()[1:]]
    mistakes = sorted((row for row in rows if row[2] != row[3]), key=lambda row: -float(row[4]))
    others = sorted((row for row in rows if row not in mistakes), key=lambda row: float(row[4]))
    expected = [int(row[1]) for row in mistakes + others][:150]
    assert [row.index for row in found.review][:150] == expected
    first = found.review[0]
    assert f"{first.confidence:.6f}" == mistakes[0][4]
    assert first.top[0] == (first.prediction, first.confidence)
    assert len(first.top) == 3
    assert found.tally.rows == 300
    assert sum(found.confidence_counts) == 300


def test_what_the_model_saw_is_shown(content, few, few_idx):
    found = content(few_idx)
    assert len(found.review) == 200
    assert all(row.seen == few.images[row.index].tobytes() for row in found.review)
    assert {row.original for row in found.review} == {None}  # they look the same


def test_originals_are_shown_beside_it_if_they_look_otherwise(content, kinds):
    rows = {os.path.relpath(row.path, kinds): row for row in content(kinds).review}
    assert {name.split("/")[0] for name, row in rows.items() if row.original is None} == {"as-it-is"}
    for name, row in rows.items():
        with Image.open(kinds / name) as image:
            size, grey = image.size, np.asarray(image.convert("L"))
        if (
            "blue" not in name and max(size) < 1000
        ):  # in colours another grey is chosen; large ones are made smaller first
            seen = normalize(grey)
            assert seen is not None
            assert np.abs(np.frombuffer(row.seen, np.uint8).astype(int) - seen.ravel()).mean() < 8, name
        if row.original is not None:
            with Image.open(io.BytesIO(row.original)) as image:
                assert image.format == "JPEG"
                assert max(image.size) <= 96
                assert image.size[0] / image.size[1] == pytest.approx(size[0] / size[1], rel=0.05)


def test_refused_pictures_are_shown_as_they_are(content, kinds):
    found = content(kinds)
    assert {row.error for row in found.refused} == {"no_digit", "several_digits"}
    assert all(row.original is not None and row.seen is None for row in found.refused)
    assert all((row.prediction, row.confidence, row.top) == (None, None, ()) for row in found.refused)


def test_each_cell_of_the_confusion_matrix_leads_to_its_rows(content, labelled):
    found = content(labelled)
    confusion = found.tally.confusion
    assert set(found.cells) == {(int(label), int(guess)) for label, guess in zip(*np.nonzero(confusion), strict=True)}
    for (label, prediction), rows in found.cells.items():
        assert len(rows) == min(4, confusion[label, prediction])
        assert {(row.label, row.prediction) for row in rows} == {(label, prediction)}
        assert all(row.seen is not None for row in rows)


def test_errors_are_named_with_their_first_paths_and_what_to_do(content, tmp_path):
    (tmp_path / "in").mkdir()
    for number in range(7):
        (tmp_path / "in" / f"{number}.png").write_bytes(b"")
    (tmp_path / "in" / "x.png").write_bytes(b"no picture")
    found = content(tmp_path / "in")
    assert [(group.code, group.count, len(group.paths)) for group in found.errors] == [
        ("empty", 7, 5), ("not_an_image", 1, 1),
    ]  # fmt: skip
    assert found.errors[0].paths[0] == str(tmp_path / "in" / "0.png")
    assert found.errors[0].advice == "The file has 0 bytes; copy or download it again."


def test_there_is_advice_for_every_error_code_in_one_sentence():
    assert tuple(ADVICE) == ERROR_CODES
    assert all(text.endswith(".") and ". " not in text and len(text) < 120 for text in ADVICE.values())


def test_the_card_says_what_the_model_says_of_itself(content, few_idx):
    card = dict(content(few_idx).card)
    assert card["recipe"] == "strokes"
    assert card["trained on"] == "packaged MNIST"
    assert re.fullmatch(r"99\.[0-9]{2}%", card["accuracy on its test images"])


def test_the_last_runs_are_shown_with_this_one(content, few_idx, labelled):
    content(few_idx)
    runs = content(labelled).history
    assert [(run.rows, run.errors) for run in runs] == [(300, 0), (300, 0)]
    assert runs[0].accuracy is None
    assert runs[1].accuracy > 0.9


@pytest.mark.slow
def test_the_same_rows_give_the_same_page_for_any_number_of_workers(tmp_path, mnist, kinds):
    (tmp_path / "x-images-idx3-ubyte").write_bytes(idx_bytes(mnist.images[:9000]))
    (tmp_path / "x-labels-idx1-ubyte").write_bytes(idx_bytes(mnist.labels[:9000]))
    for number, image in enumerate(mnist.images[:3000]):
        save_png(tmp_path / "pngs" / f"{number}.png", np.kron(image, np.ones((2, 2), np.uint8)))
    pages = []
    for workers in (1, 2, 3):
        (tmp_path / "p.history.csv").unlink(missing_ok=True)
        inputs = [tmp_path / "x-images-idx3-ubyte", tmp_path / "pngs", kinds]
        run_job(inputs, out=tmp_path / "p.csv", workers=workers, labels="auto")
        pages.append(ReportPage(tmp_path / "p.report.html").lasting)
    assert pages[0] == pages[1] == pages[2]


@pytest.mark.slow
def test_the_page_of_70_000_rows_is_small(page, tmp_path, mnist):
    images, labels = np.resize(mnist.images, (70_000, 28, 28)), np.random.default_rng(0).integers(0, 10, 70_000)
    (tmp_path / "x-images-idx3-ubyte").write_bytes(idx_bytes(images))
    (tmp_path / "x-labels-idx1-ubyte").write_bytes(idx_bytes(labels.astype(np.uint8)))  # all cells have mistakes
    found = page(tmp_path / "x-images-idx3-ubyte")
    assert len(found.source) < 600_000
    assert "70,000" in found.source


def test_without_pictures_there_is_no_image_at_all(run, kinds, tmp_path):
    done = run(kinds, "--out", "p.csv", "--report-pictures", "none", "--max-errors", "100%")
    assert done.code == 0, done.stderr
    page = ReportPage(tmp_path / "p.report.html")
    assert "data:image" not in page.source
    assert page.tags["img"] == page.tags["picture"] == page.tags["canvas"] == 0
    assert "ruled-paper" in page.source


def test_with_pictures_the_originals_are_there(page, kinds):
    found = page(kinds)
    jpegs = re.findall(r"data:image/jpeg;base64,([A-Za-z0-9+/=]+)", found.source)
    assert jpegs
    for jpeg in jpegs:
        with Image.open(io.BytesIO(base64.b64decode(jpeg))) as image:
            image.load()


def test_another_value_is_wrong_usage(few_idx, tmp_path):
    with pytest.raises(UsageError, match=r"^--report-pictures some: expected all or none$"):
        run_job([few_idx], out=tmp_path / "p.csv", report_pictures="some")


def test_hostile_names_are_text(page, few, tmp_path):
    names = [
        "<script>alert(1)<!--.png", '" onerror="alert(1).png', "' onload='alert(1).png", "&lt;b&gt;.png",
        "javascript:alert(1).png", "\u202egnp.exe.png", "</title><h1>x.png", "{{ 7*7 }}.png", "]]>.png",
    ]  # fmt: skip
    for number, name in enumerate(names):
        folder = tmp_path / "in" / name.replace("/", "∕")
        save_png(folder / "1.png", few.images[number])
        (folder / "broken.png").write_bytes(b"<script>")
    found = page(tmp_path / "in")
    assert found.tags["script"] <= 1
    assert found.tags["h1"] == 1
    assert not [name for _, name, _ in found.attributes if name.startswith("on")]
    text = " ".join(found.texts)
    assert "<script>alert(1)<!--.png/1.png" in text
    assert "&lt;b&gt;.png/1.png" in text
    assert "{{ 7*7 }}.png/1.png" in text
    assert "%E2%80%AEgnp.exe.png/1.png" in text
    assert "\u202e" not in found.source


def test_a_name_that_is_not_utf_8_and_hostile_texts_of_a_model_do_not_stop_the_page(run, few, tmp_path):
    folder = os.fsencode(tmp_path / "in")
    os.mkdir(folder)
    save_png(tmp_path / "x.png", few.images[0])
    os.rename(tmp_path / "x.png", folder + b"/\xff\xfe.png")
    (tmp_path / os.fsdecode(b"in/\xff.gif")).write_bytes(b"x")
    done = run("in", "--out", b"p\xff.csv")
    assert done.code == 3, done.stderr
    page = (tmp_path / os.fsdecode(b"p\xff.report.html")).read_bytes().decode()
    assert "in/%FF%FE.png" in page


def test_another_programs_page_of_that_name_is_not_touched(few_idx, tmp_path):
    (tmp_path / "p.report.html").write_text("<!doctype html><title>coverage report</title>")
    with pytest.raises(OutputError, match=r"p\.report\.html: is not a report of batch-infer, and stays as it is"):
        run_job([few_idx], out=tmp_path / "p.csv", workers=1)
    assert (tmp_path / "p.report.html").read_text() == "<!doctype html><title>coverage report</title>"
    assert not (tmp_path / "p.csv").exists()


def test_our_own_page_is_replaced(few_idx, labelled, page):
    assert "Confusion" not in page(few_idx).source
    assert "onfusion" in page(labelled).source


def test_a_failed_gate_that_keeps_the_outputs_keeps_the_page(few_idx, labelled, page, tmp_path):
    before = page(few_idx).source
    run_job([labelled], out=tmp_path / "p.csv", workers=1, min_accuracy=1.0, on_failed_gate="keep")
    assert (tmp_path / "p.report.html").read_text() == before
    assert json.loads((tmp_path / "p.run.json").read_text())["published"] is False


def test_it_is_found_before_the_work_that_jinja2_is_missing(few_idx, tmp_path, monkeypatch):
    monkeypatch.setattr("batch_infer.job.publication.publish.find_spec", lambda _name: None)
    with pytest.raises(
        MissingExtraError, match=r"^jinja2 is not installed, which reports need; type: pip install jinja2$"
    ):
        run_job([few_idx], out=tmp_path / "p.csv", workers=1)
    run_job([few_idx], out=tmp_path / "p.csv", workers=1, report=False)


def test_the_sheet_of_what_the_model_saw_is_a_picture(page, few, few_idx):
    (sheet,) = re.findall(r"url\(data:image/png;base64,([A-Za-z0-9+/=]+)\)", page(few_idx, labels="none").styles)
    with Image.open(io.BytesIO(base64.b64decode(sheet))) as image:
        pixels = np.asarray(image.convert("L"))
    first = next(row for row in range(300) if np.abs(pixels[:28, :28].astype(int) - few.images[row]).max() <= 8)
    assert pixels.shape == (28 * 7, 28 * 32)  # 200 pictures in rows of 32
    assert few.images[first].any()
