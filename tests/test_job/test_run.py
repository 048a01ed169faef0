"""run_job: the same rows for the same images, one run at a time, nothing published when it fails."""

import gzip
import json
import os
import random

import pytest
from support.helpers import save_png

from batch_infer import run_job
from batch_infer.errors import LockError, NoInputError, UsageError
from batch_infer.inputs.arrays.idx import idx_bytes


def answers(rows) -> list[tuple[str, ...]]:
    """Everything of the rows that does not say where an image came from."""
    return [tuple(value for name, value in row.items() if name not in {"path", "index", "label"}) for row in rows]


def test_folder_plain_idx_and_gzip_idx_of_the_same_images_give_the_same_rows(rows, shared_files):
    folder = rows(shared_files / "pngs", probabilities=True)
    plain = rows(shared_files / "few.idx", probabilities=True)
    zipped = rows(shared_files / "few.idx.gz", probabilities=True)
    assert len(folder) == 300
    assert answers(folder) == answers(plain) == answers(zipped)


@pytest.mark.slow
def test_folder_plain_idx_and_gzip_idx_of_all_test_images_give_the_same_rows(rows, mnist, tmp_path):
    for number, image in enumerate(mnist.images):
        save_png(tmp_path / "all" / f"{number:05}.png", image)
    (tmp_path / "plain").write_bytes(idx_bytes(mnist.images))
    (tmp_path / "zipped").write_bytes(gzip.compress(idx_bytes(mnist.images), 1))
    folder, plain, zipped = (answers(rows(tmp_path / name, workers=2)) for name in ("all", "plain", "zipped"))
    assert len(folder) == 10_000
    assert folder == plain == zipped


def test_paths_and_indexes_say_where_an_image_came_from(rows, shared_files, monkeypatch):
    monkeypatch.chdir(shared_files)
    found = rows("pngs/00007.png", "few.idx", "classes")
    assert [(row["path"], row["index"]) for row in found[:4]] == [
        ("pngs/00007.png", ""), ("few.idx", "0"), ("few.idx", "1"), ("few.idx", "2"),
    ]  # fmt: skip
    assert found[-1]["path"].startswith("classes/9/")
    assert found[-1]["index"] == ""


def test_dangerous_names_are_escaped_in_the_output(rows, few, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [b"=cmd.png", b"new\nline.png", b"not\xffutf8.png", b'quo"te.png', b"%41.png"]
    os.mkdir("in")
    source = save_png(tmp_path / "source.png", few.images[0])
    for name in names:
        os.link(source, b"in/" + name)
    os.link(source, b"=cmd.png")
    found = rows("=cmd.png", "in")
    assert [row["path"] for row in found] == [
        "%3Dcmd.png", "in/%2541.png", "in/=cmd.png", "in/new%0Aline.png", "in/not%FFutf8.png", 'in/quo"te.png',
    ]  # fmt: skip
    assert len(set(answers(found))) == 1


def test_permuting_the_inputs_permutes_the_rows_and_changes_nothing_else(rows, shared_files):
    paths = sorted((shared_files / "pngs").iterdir())[:40]
    shuffled = random.Random(0).sample(paths, len(paths))
    assert sorted(map(str, rows(*paths))) == sorted(map(str, rows(*shuffled)))
    assert [row["path"] for row in rows(*shuffled)] == [str(path) for path in shuffled]


def test_two_runs_give_the_same_bytes(shared_files, tmp_path):
    for name in ("one.csv", "two.csv"):
        run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / name, workers=1)
    for ending in (".csv", ".accuracy.csv", ".confusion.csv", ".mistakes.csv"):
        assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()


@pytest.mark.parametrize("limit", [-0.1, 1.1, float("nan"), float("inf")])
@pytest.mark.parametrize("option", ["min_accuracy", "min_confidence"])
def test_a_share_outside_0_to_1_is_wrong_usage(shared_files, option, limit):
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], workers=1, **{option: limit})
    name = option.replace("_", "-")
    assert str(caught.value).startswith(f"--{name} {limit}: expected a number from 0 to 1, such as 0.")


def test_no_workers_are_wrong_usage(shared_files):
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], workers=0)
    assert str(caught.value) == "--workers 0: expected 1 or more"


def test_no_image_is_an_error_that_leaves_the_old_output(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").touch()
    (tmp_path / "p.csv").write_text("old")
    with pytest.raises(NoInputError) as caught:
        run_job([tmp_path / "in"], out=tmp_path / "p.csv", workers=1)
    assert str(caught.value) == (
        f"no image found in {tmp_path}/in (skipped: 1 .txt); nothing was published, what was there stays"
    )
    assert (tmp_path / "p.csv").read_text() == "old"
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert (account["exit_code"], account["published"], account["error"]) == (4, False, str(caught.value))


def test_an_idx_file_of_zero_images_is_no_input(tmp_path, few):
    (tmp_path / "x.idx").write_bytes(idx_bytes(few.images[:0]))
    with pytest.raises(NoInputError):
        run_job([tmp_path / "x.idx"], out=tmp_path / "p.csv", workers=1)


def test_a_second_run_for_the_same_stem_is_refused_while_the_first_goes_on(shared_files, tmp_path):
    def second(*_):
        with pytest.raises(LockError) as caught:
            run_job([shared_files / "few.idx"], out=tmp_path / "p.parquet", workers=1)
        messages.append(str(caught.value))

    messages: list[str] = []
    run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1, progress=second)
    assert messages
    assert messages[0].startswith(f"{tmp_path}/p.lock: another run holds it (pid {os.getpid()}, started 2")


def test_the_lock_is_free_after_a_run(shared_files, tmp_path):
    for _ in range(2):
        run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1)


def test_progress_counts_to_the_total(shared_files):
    seen = []
    run_job([shared_files / "few.idx", shared_files / "classes"], workers=1, progress=lambda *step: seen.append(step))
    assert seen[-1] == (360, 360)
    assert seen == sorted(seen)


def test_an_error_in_the_middle_of_a_run_publishes_nothing(shared_files, tmp_path):
    def fail(*_):
        raise RuntimeError("a bug")

    (tmp_path / "p.csv").write_text("old")
    with pytest.raises(RuntimeError, match="a bug"):
        run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1, progress=fail)
    assert (tmp_path / "p.csv").read_text() == "old"
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert (account["exit_code"], account["published"], account["error"]) == (1, False, "a bug")
    assert sorted(os.listdir(tmp_path)) == ["p.csv", "p.lock", "p.run.json"]
