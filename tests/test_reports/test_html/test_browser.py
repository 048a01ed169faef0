"""The report in a real browser: no error, no request, usable by keyboard, screen reader, without scripts, on paper."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from support.helpers import read_rows, save_png
from support.report_content import errors_content

from batch_infer import run_job
from batch_infer.paths import escape_path
from batch_infer.reports.html.content import ReportRow

pytestmark = pytest.mark.slow
PHONE = {"viewport": {"width": 360, "height": 740}}
LABELS = ["path", "index", "label"]


@pytest.fixture(scope="session")
def everything(pictures, digits):
    """A report with all parts, and cells of all colours."""
    return replace(pictures, tally=digits.tally, cells=digits.cells, review=pictures.review[:30])


def choose(page, number, digit):
    """Choose a digit for a card with the keyboard."""
    choice = page.locator(".card").nth(number).locator(".choice")
    choice.locator("input:checked").focus()
    page.keyboard.press(str(digit))
    assert choice.locator("input:checked").get_attribute("value") == str(digit)


def open_all(page):
    page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")


def saved(page):
    """Save labels.csv → its text."""
    with page.expect_download() as download:
        page.click("#save")
    assert download.value.suggested_filename == "labels.csv"
    return download.value.path().read_bytes().decode()


def rows_of(text):
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


@pytest.mark.parametrize(
    "options",
    [{"color_scheme": "light"}, {"color_scheme": "dark"}, PHONE, {"forced_colors": "active"}],
    ids=["light", "dark", "phone", "forced colors"],
)
def test_axe_finds_nothing(opened, axe, everything, options):
    page = opened(everything, **options).page
    page.goto(f"{page.url}#{next(f'c{label}{read}' for label, read in everything.cells if label != read)}")
    open_all(page)
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    assert [(one["id"], one["nodes"][0]["html"]) for one in found["violations"]] == []


def test_nothing_leaves_the_page(opened, everything):
    report = opened(everything)
    choose(report.page, 0, 3)
    saved(report.page)
    page, *others = report.requests
    assert page == report.page.url
    assert {address.partition(":")[0] for address in others} <= {"data", "blob"}


@pytest.mark.parametrize("width", [320, 360, 768, 1600])
def test_it_fits_into_the_window(opened, everything, width):
    page = opened(everything, viewport={"width": width, "height": 740}).page
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_keyboard_reaches_everything(opened, everything):
    page = opened(replace(everything, review=everything.review[:3], refused=())).page
    choose(page, 0, 3)  # so that the button can be reached
    open_all(page)
    page.evaluate("document.activeElement.blur()")
    expected = page.evaluate(
        "document.querySelectorAll('nav a, summary, .choice, .confusion a, #save, [tabindex=\"0\"]').length"
    )
    page.evaluate(
        "() => { window.met = new Set(); document.addEventListener('focusin', (event) => "
        "met.add(event.target.closest('.choice') ?? event.target)); }"
    )
    page.evaluate("document.body.tabIndex = -1; document.body.focus()")
    for _ in range(expected + 30):
        page.keyboard.press("Tab")
    assert page.evaluate("met.delete(document.body); met.size") == expected


def test_arrow_keys_choose_and_what_was_chosen_is_announced(opened, everything):
    page = opened(everything).page
    status = page.get_by_role("status")
    assert status.inner_text() == "No digit chosen yet."
    assert page.locator("#save").is_disabled()
    page.locator(".card input").first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    cards = page.locator(".card").count()
    assert status.inner_text() == f"1 of {cards} chosen."
    choose(page, 1, 7)
    assert status.inner_text() == f"2 of {cards} chosen."
    page.keyboard.press("Home")
    assert [row[2] for row in rows_of(saved(page))] == ["label", "1", "7"]
    assert status.inner_text() == "labels.csv saved with 2 labels."


def test_a_choice_can_be_taken_back(opened, everything):
    page = opened(everything).page
    choose(page, 0, 7)
    page.locator(".card input").first.check()
    assert page.get_by_role("status").inner_text() == "No digit chosen yet."
    assert page.locator("#save").is_disabled()


def test_each_group_is_named_after_its_picture(opened, everything):
    page = opened(everything).page
    group = page.locator(".choice").first
    path = page.locator(".card .path").first.inner_text()
    assert page.get_by_role("group", name=f"Right digit of {path}", exact=True).count() == 1
    assert [radio.get_attribute("value") for radio in group.get_by_role("radio").all()] == ["", *"0123456789"]
    assert group.get_by_label("3", exact=True).count() == 1


def test_the_file_has_paths_as_the_predictions_have_them(opened, everything):
    names = [
        'say "hi", you.png',
        "שלום.png",
        "<script>alert(1)</script>.png",
        "a%41b.png",
        "=1+1.png",
        "a\nb\udcff.png",
    ]
    names += ["  two  blanks .png", "\u202egnp.exe", "x" * 3000, "javascript:alert(1)", "é.png"]
    paths = [escape_path(name) for name in names]
    rows = [replace(everything.review[0], path=path) for path in paths]
    rows += [ReportRow("digits.idx", index, 3, 0.5) for index in (0, 12_345)]
    page = opened(replace(everything, review=tuple(rows), refused=())).page
    open_all(page)
    for number in range(len(rows)):
        choose(page, number, number % 10)
    found = rows_of(saved(page))
    expected = [[*map(str, (row.path, "" if row.index is None else row.index))] for row in rows]
    in_page = page.locator(".card").count()
    assert in_page == len(rows)
    assert found[0] == LABELS
    assert sorted(row[:2] for row in found[1:]) == sorted(expected)
    assert page.evaluate("document.documentElement.scrollWidth") <= 1280


def test_corrected_answers_measure_the_next_run(opened, few, tmp_path):
    names = ["a.png", 'b "2".png', "=c.png", "d%41.png", "é\u202e.png"]
    for name, image in zip(names, few.images, strict=False):
        save_png(tmp_path / "in" / name, image)
    (tmp_path / "in" / "e.idx").mkdir()
    job = {"workers": 1, "out": tmp_path / "p.csv"}
    run_job([tmp_path / "in"], **job)
    page = opened((tmp_path / "p.report.html").read_bytes()).page
    for number in range(len(names)):
        choose(page, number, 3)
    (tmp_path / "labels.csv").write_text(saved(page))
    page.close()
    summary = run_job([tmp_path / "in"], labels=str(tmp_path / "labels.csv"), **job)
    assert summary.tally.labelled == len(names)
    assert {row["label"] for row in read_rows(tmp_path / "p.csv")} == {"3"}
    run_job([tmp_path / "in"], labels=str(tmp_path / "labels.csv"), **job)


def test_leaving_with_unsaved_choices_asks_first(opened, everything):
    page = opened(everything).page
    asked = []
    page.on("dialog", lambda dialog: (asked.append(dialog.type), dialog.accept()))
    choose(page, 0, 3)
    page.reload()
    assert asked == ["beforeunload"]
    choose(page, 0, 3)
    saved(page)
    page.reload()
    assert asked == ["beforeunload"]


def test_without_scripts_it_can_be_read_and_says_how_to_correct(opened, everything):
    page = opened(everything, java_script_enabled=False).page
    assert page.locator("noscript p").is_visible()
    assert not any(part.is_visible() for part in page.locator("input, button, .save, .scripted").all())
    group = page.locator(".review details").first
    card = group.locator(".card").first
    assert not card.is_visible()
    group.locator("summary").click()
    assert card.is_visible()
    page.locator(".confusion .h4 a, .confusion .h5 a").first.click()
    assert page.locator(".cell:visible").count() == 1


def test_a_cell_of_the_matrix_leads_to_its_pictures(opened, everything):
    page = opened(everything).page
    assert page.locator(".cell:visible").count() == 0
    link = page.locator(".confusion .h5 a").first
    name = link.get_attribute("href")
    link.focus()
    page.keyboard.press("Enter")
    assert page.locator(f"{name} .s").first.is_visible()
    assert page.locator(".cell:visible").count() == 1
    assert page.evaluate("document.activeElement.id") == name[1:]


def test_what_the_model_saw_is_shown_at_its_place(opened, everything):
    page = opened(everything).page
    known = {row.path: np.frombuffer(row.seen, np.uint8) for row in everything.review}
    for card in page.locator(".card:has(.s)").all()[:8]:
        shot = Image.open(io.BytesIO(card.locator(".s").screenshot())).convert("L")
        shown = np.asarray(shot.resize((28, 28), Image.Resampling.BOX)).ravel()
        alike = {path: np.corrcoef(shown, pixels)[0, 1] for path, pixels in known.items()}
        assert max(alike, key=alike.__getitem__) == card.locator(".path").inner_text()


def test_on_paper_there_is_nothing_to_press(opened, everything):
    page = opened(everything, color_scheme="dark").page
    page.emulate_media(media="print")
    for part in ("nav", ".choice", ".save", ".scripted", "summary"):
        assert not any(found.is_visible() for found in page.locator(part).all())
    assert page.locator(".card").first.is_visible()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_a_run_without_any_picture_has_no_script(opened):
    page = opened(errors_content()).page
    assert page.locator("script").count() == 0
    assert page.get_by_text("The file ends too early").is_visible()
