"""Labels from the names of folders: where they are clear, where some pictures have none, and dates and batches."""

import json
import os

import pytest
from support.helpers import save_png
from support.labels import labels_of

from batch_infer.inputs.discover import discover
from batch_infer.inputs.labels.attach import attach_labels


@pytest.fixture
def labelled_tree(tree):
    """Make empty pictures by name → the label of each, by name, and the notices."""

    def make(*names: str, inputs: tuple[str, ...] = ("",)) -> tuple[dict[str, int | None], list[str]]:
        root, notices = tree(*names), []
        inventory = discover(os.path.join(root, name) for name in inputs)
        attach_labels(inventory, "auto", notices.append)
        found = {}
        for group in inventory.file_groups:
            for position, name in enumerate(group.names):
                path = os.path.relpath(group.prefix + name, root)
                found[path] = None if group.labels is None else int(group.labels[position])
        return found, [notice.replace(f"{root}/", "./") for notice in notices]

    return make


def classes(pattern: str, digits: str = "0123456789") -> list[str]:
    return [pattern.format(digit) for digit in digits]


SOME = "./: its folders named 0 to 9 give the labels; pictures in other folders have none, such as those in "
NONE = (
    "./: its folders named 0 to 9 give no labels: at least two of them must hold nine tenths of the pictures, all at "
    "one depth, and not be dates; to name labels: --labels FILE, to go without: --labels none"
)


def test_folders_named_by_digits_label_their_files(pngs):
    assert labels_of(pngs("7/a.png", "2/b.png", "2/c.png")) == [2, 2, 7]


def test_only_the_parent_folder_counts(pngs):
    assert labels_of(pngs("batch/7/a.png", "3/7/b.png")) == [7, 7]


def test_an_input_folder_that_is_itself_named_by_a_digit_labels_its_files(pngs):
    assert labels_of(pngs("a.png", folder="in/4")) == [4]


def test_each_input_is_labelled_by_itself(pngs):
    assert labels_of(pngs("7/a.png", folder="one"), pngs("a.png", folder="two")) == [7, -1]


def test_none_ignores_the_names_of_folders(pngs):
    assert labels_of(pngs("7/a.png"), labels="none") == [-1]


@pytest.mark.parametrize("name", ["a.png", "other/a.png", "10/a.png", "٣/a.png", "7 /a.png", "a/b/c/d.png"])
def test_a_stray_picture_has_no_label_and_takes_none_from_the_others(labelled_tree, name):
    found, notices = labelled_tree(*classes("{}/a.png"), name)
    assert found == {f"{digit}/a.png": digit for digit in range(10)} | {name: None}
    assert notices == [f"{SOME}./{os.path.dirname(name)}{'/' * ('/' in name)}"]


def test_folders_below_those_of_the_digits_are_labelled_by_them(labelled_tree):
    found, notices = labelled_tree("7/test/x.png", "7/train/x.png", "2/train/deep/x.png", "2/x.png")
    assert found == {"7/test/x.png": 7, "7/train/x.png": 7, "2/train/deep/x.png": 2, "2/x.png": 2}
    assert notices == []


def test_the_digits_may_stand_deeper_if_they_do_so_everywhere(labelled_tree):
    found, _ = labelled_tree(*classes("train/{}/a.png"), *classes("test/{}/x/a.png"), "readme/a.png")
    assert found["train/3/a.png"] == found["test/3/x/a.png"] == 3
    assert found["readme/a.png"] is None


def test_nine_tenths_of_the_pictures_must_lie_in_such_folders(labelled_tree):
    enough = ["1/a.png", *(f"2/{number}.png" for number in range(8))]
    assert labelled_tree(*enough, "x.png")[0]["1/a.png"] == 1
    found, notices = labelled_tree(*enough, "x.png", "y.png")
    assert (set(found.values()), notices) == ({None}, [NONE])


@pytest.mark.parametrize(
    "names",
    [
        ["2026/5/17/a.png", "2026/5/18/a.png"],
        ["2026/5/17/a.png", "2026/6/18/a.png"],  # two months
        ["2026/5/7/a.png", "2026/5/17/a.png", "2026/6/1/a.png"],
        ["2026/5/a.png", "2026/6/a.png", *(f"2026/7/{number}.png" for number in range(20)), "2026/cover.png"],
        [*classes("7/{}.png"), "x.png"],  # class 7 alone
        [*classes("7/test/{}.png")],
        ["form1/field/3/a.png", "form1/name/a.png", "form2/field/4/a.png"],
        [*classes("batch/{}/a.png"), *classes("{}/b.png")[:2], "x.png"],  # two depths
        [*classes("1/{}/x/a.png"), "x.png"],  # two in one path
    ],
)
def test_where_they_may_be_dates_fields_or_batches_there_are_no_labels_and_a_notice(labelled_tree, names):
    found, notices = labelled_tree(*names)
    assert (set(found.values()), notices) == ({None}, [NONE])


@pytest.mark.parametrize(
    ("names", "labels"),
    [
        (["2026/5/a.png"], {5}),
        (classes("{}/scan.png", "123456789"), set(range(1, 10))),
        (["form/field/3/a.png"], {3}),
        (["7/a.png"], {7}),
    ],
)
def test_where_every_folder_is_named_by_a_digit_they_are_labels(labelled_tree, names, labels):
    found, notices = labelled_tree(*names)
    assert (set(found.values()), notices) == (labels, [])


def test_without_any_such_folder_there_is_nothing_to_say(labelled_tree):
    found, notices = labelled_tree("a.png", "2026/10/a.png", "05/a.png")
    assert (set(found.values()), notices) == ({None}, [])


def test_a_subfolder_of_an_input_that_is_named_by_a_digit_is_not_labelled_by_it(labelled_tree):
    found, notices = labelled_tree("7/a.png", "7/more/b.png", inputs=("7",))
    assert (set(found.values()), len(notices)) == ({None}, 1)


def test_labels_that_agree_with_few_predictions_cause_a_notice_for_their_input_alone(few, run, tmp_path):
    for number in range(40):
        save_png(tmp_path / "good" / str(few.labels[number]) / f"{number}.png", few.images[number])
        save_png(tmp_path / "days" / str((few.labels[number] + 1) % 10) / f"{number}.png", few.images[number])
    done = run("good", "days", "--out", "p.csv")
    notice = (
        "days: the labels that its folders 0 to 9 give agree with less than 30 % of the predictions; "
        "if these folders are dates, batches or the like: --labels none"
    )
    assert (done.code, done.stderr) == (0, f"batch-infer: {notice}\n")
    assert json.loads((tmp_path / "p.run.json").read_text())["notices"] == [notice]
    assert run("good", "days", "--out", "p.csv").stderr == ""
