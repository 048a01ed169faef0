"""Folders that --sort-into made: their pictures get no labels from them, wherever they lie."""

import json
import os
import shutil

import pytest
from support.labels import labels_of, refusal
from support.sorting import lay

from batch_infer.inputs.labels.sorted_folder import is_sorted_folder


@pytest.fixture
def made(pngs, tmp_path):
    """A folder made by --sort-into, of copies of three pictures."""
    lay([pngs("a.png", "b.png", "c.png")], "7 2 1", tmp_path / "sorted", "copy")
    return tmp_path / "sorted"


def message(given, folder) -> str:
    return (
        f"{given}: the folders 0 to 9 of {folder} were made by --sort-into; they hold predictions, no labels; "
        "give the true ones in a file (columns path,index,label), or go without: --labels none"
    )


@pytest.mark.parametrize("below", ["", "7"])
def test_its_folders_give_no_labels(made, below):
    assert refusal(made / below) == message(made / below, made)


def test_nor_do_they_in_a_folder_that_holds_it(made, pngs):
    pngs("3/x.png", "4/y.png", folder="all/own")
    shutil.move(made, made.parent / "all" / "guessed")
    whole = made.parent / "all"
    assert refusal(whole) == message(whole, whole / "guessed")


def test_nor_by_a_link_to_it(made):
    (made.parent / "link").symlink_to(made / "7")
    shutil.rmtree(made / "2")
    assert is_sorted_folder(made.parent / "link")
    (made.parent / "7").symlink_to(made / "7")
    assert refusal(made.parent / "7") == message(made.parent / "7", made)


def test_its_pictures_may_be_classified_and_labelled_by_a_table(made, table):
    assert labels_of(made, labels="none") == [-1, -1, -1]
    assert labels_of(made, labels=table(f"path,index,label\n{made}/7/a.png,,1\n")) == [-1, -1, 1]


def test_a_copy_without_its_marker_is_an_ordinary_folder(made):
    shutil.copytree(made, made.parent / "checked", ignore=shutil.ignore_patterns(".batch-infer-sorted"))
    assert labels_of(made.parent / "checked") == [1, 2, 7]


def test_own_folders_beside_it_are_labels(made, pngs):
    assert labels_of(pngs("3/x.png", folder="own")) == [3]
    assert made.is_dir()


def test_a_folder_knows_whether_it_is_one(made, monkeypatch):
    monkeypatch.chdir(made)
    assert [is_sorted_folder(path) for path in (made, made / "7", made / "7" / "a.png", ".", "new")] == [True] * 5
    assert not any(map(is_sorted_folder, (made.parent, made.parent / "in", "/", "../in/a.png", f"{made}-2")))


def test_the_refusal_is_the_only_line(made, run):
    (made / "stray.png").write_bytes((made / "7" / "a.png").read_bytes())
    for number in range(20):
        shutil.copy(made / "7" / "a.png", made / "7" / f"{number}.png")
    done = run("sorted", "--out", "p.csv")
    assert (done.code, done.stderr) == (2, f"batch-infer: {message('sorted', os.path.realpath(made))}\n")
    assert not (made.parent / "p.csv").exists()
    done = run("sorted", "--out", "p.csv", "--labels", "none")
    assert done.code == 0
    assert json.loads((made.parent / "p.run.json").read_text())["labels"] is None
