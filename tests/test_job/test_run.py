"""run_job: rows, labels, thresholds, gates and reports, in this process."""

import csv
import gzip
import hashlib
import io
import json
import os
import random
from urllib.parse import unquote_to_bytes

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.helpers import MNIST, read_rows, save_png

from batch_infer import run_job
from batch_infer.contract import ERROR_CODES
from batch_infer.errors import LockError, NoInputError, OutputError, UsageError
from batch_infer.inputs.idx import idx_bytes


def answers(rows) -> list[tuple[str, ...]]:
    """Everything of the rows that does not say where an image came from."""
    return [tuple(value for name, value in row.items() if name not in {"path", "index", "label"}) for row in rows]


def spoil_checksum(content: bytes) -> bytes:
    """Gzip data whose checksum at the very end is wrong."""
    content = bytearray(content)
    content[-8] ^= 1
    return bytes(content)


@pytest.fixture
def damaged(mnist, tmp_path):
    """Write damaged IDX files of 2,100 images, so that whole chunks are read before the damage shows."""

    def write(kind: str):
        content = idx_bytes(mnist.images[:2_100])
        path = tmp_path / f"damaged-{kind}"
        path.write_bytes(
            {
                "plain": lambda: content[:-1],
                "trailing": lambda: content + b"\0",
                "checksum": lambda: spoil_checksum(gzip.compress(content, 1)),
                "cut": lambda: gzip.compress(content, 1)[:-20],
                "length": lambda: gzip.compress(content + b"\0", 1),
            }[kind]()
        )
        return path

    return write


DAMAGES = ["plain", "trailing", "checksum", "cut", "length"]


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


def test_predictions_and_confidences_are_those_of_the_classifier(rows, shared_files, classifier, few):
    found = rows(shared_files / "few.idx", probabilities=True)
    probabilities = classifier.predict_proba(few.images)
    assert [int(row["prediction"]) for row in found] == classifier.predict(few.images).tolist()
    shown = np.array([[float(row[f"prob_{digit}"]) for digit in range(10)] for row in found])
    assert np.abs(shown - probabilities).max() < 0.6e-6  # half a millionth, and the last bit of float32
    assert [row["confidence"] for row in found] == [f"{row.max():.6f}" for row in shown]


def test_more_than_95_percent_of_the_packaged_test_set_are_right(tmp_path):
    summary = run_job([MNIST / "t10k-images-idx3-ubyte.gz"], out=tmp_path / "p.csv", workers=1)
    assert summary.exit_code == 0
    assert (summary.tally.labelled, summary.tally.rows) == (10_000, 10_000)
    assert summary.accuracy > 0.95


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


def png_of_noise() -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (28, 28), np.uint8)).save(file, "PNG")
    return file.getvalue()


BROKEN = {"empty": b"", "not_an_image": b"%!PS-Adobe-3.0\n", "truncated": png_of_noise()[:400]}


@pytest.mark.parametrize("code", [*BROKEN, "not_regular"])
def test_a_broken_file_is_a_row_with_a_code_and_the_others_are_classified(rows, pngs, code):
    root = pngs("a.png", "c.png")
    if code == "not_regular":
        os.mkfifo(root / "b.png")
    else:
        (root / "b.png").write_bytes(BROKEN[code])
    found = rows(root)
    assert [(row["status"], row["error"]) for row in found] == [("ok", ""), ("error", code), ("ok", "")]
    assert (found[1]["prediction"], found[1]["confidence"]) == ("", "")


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["good", *BROKEN]), min_size=1, max_size=12))
def test_whatever_the_mix_and_order_each_input_is_one_row(tmp_path_factory, shared_files, kinds):
    folder = tmp_path_factory.getbasetemp() / "mix"
    folder.mkdir(exist_ok=True)
    for kind, content in BROKEN.items():
        (folder / f"{kind}.png").write_bytes(content)
    paths = []
    for number, kind in enumerate(kinds):
        path = folder / f"{number}-{kind}.png"
        path.unlink(missing_ok=True)
        os.link(shared_files / "pngs" / f"{number:05}.png" if kind == "good" else folder / f"{kind}.png", path)
        paths.append(path)
    summary = run_job(paths, out=folder / "p.csv", workers=1, report=False)
    found = read_rows(folder / "p.csv")
    assert [row["path"] for row in found] == [str(path) for path in paths]
    assert [row["error"] for row in found] == ["" if kind == "good" else kind for kind in kinds]
    assert int(summary.tally.statuses.sum()) == len(kinds)
    assert summary.exit_code == (0 if set(kinds) == {"good"} else 3)


PNG = png_of_noise()
MAGIC = st.sampled_from([PNG[:8], b"\xff\xd8\xff", b"GIF89a", b"BM", b"P5\n"])
CONTENTS = st.one_of(
    st.binary(max_size=60),
    st.builds(
        lambda magic, rest: magic + rest, st.sampled_from([PNG[:8], b"\xff\xd8\xff", b"GIF89a", b"P5\n"]), st.binary()
    ),
    st.builds(lambda at, byte: PNG[:at] + bytes([byte]) + PNG[at + 1 :], st.integers(0, len(PNG)), st.integers(0, 255)),
    st.builds(lambda at: PNG[:at], st.integers(0, len(PNG))),
)
# Any bytes but NUL and slash; names with one of the suffixes, so that none is passed over; no dot files.
NAMES = st.binary(max_size=40).map(lambda name: b"x" + name.translate(None, b"\0/") + b".png")


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=6), st.sampled_from(["p.csv", "p.csv.gz", "p.parquet"]))
def test_whatever_is_the_name_and_whatever_the_content_each_file_is_one_row(tmp_path_factory, files, out):
    folder = tmp_path_factory.mktemp("any")
    (folder / "in").mkdir()
    for name, content in files.items():
        with open(os.fsencode(folder / "in") + b"/" + name, "wb") as file:
            file.write(content)
    summary = run_job([folder / "in"], out=folder / out, workers=1, labels="none")
    reads = {"p.csv": pd.read_csv, "p.csv.gz": pd.read_csv, "p.parquet": pd.read_parquet}
    found = reads[out](folder / out)
    assert [unquote_to_bytes(path) for path in found["path"]] == [
        os.fsencode(folder / "in") + b"/" + name for name in sorted(files)
    ]
    assert set(found["error"].dropna()) <= set(ERROR_CODES)
    assert summary.exit_code == (3 if found["error"].notna().any() else 0)
    assert ((found["status"] == "error") == found["error"].notna()).all()
    assert (found["prediction"].isna() == found["error"].notna()).all()


IDX = bytes.fromhex("00000803 00000002 0000001c 0000001c") + bytes(2 * 784)


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 15), st.integers(0, 255), st.booleans(), st.integers(-2, 2))
def test_whatever_an_idx_header_says_there_are_its_images_or_one_row(tmp_path_factory, at, byte, zipped, more):
    content = IDX[:at] + bytes([byte]) + IDX[at + 1 :]
    content = content[:more] if more < 0 else content + bytes(more)
    path = tmp_path_factory.getbasetemp() / "header"
    path.write_bytes(gzip.compress(content, 1) if zipped else content)
    try:
        run_job([path], out=path.with_suffix(".csv"), workers=1, report=False)
    except NoInputError:  # a header that says: no images
        assert content[4:8] == bytes(4)
        return
    found = [(row["index"], row["error"]) for row in read_rows(path.with_suffix(".csv"))]
    if content == IDX:
        assert found == [("0", ""), ("1", "")]
    else:
        assert found in ([("", "damaged_idx")], [("", "not_an_image")][: not zipped])


@pytest.mark.parametrize("position", [0, 1, 149, 298, 299])
def test_a_broken_file_changes_no_other_row_wherever_it_stands(rows, shared_files, tmp_path, position):
    paths = [str(path) for path in sorted((shared_files / "pngs").iterdir())]
    whole = rows(*paths)
    (tmp_path / "broken.png").write_bytes(b"broken")
    paths[position] = str(tmp_path / "broken.png")
    spoiled = rows(*paths)
    assert spoiled[position]["error"] == "not_an_image"
    assert spoiled[:position] + spoiled[position + 1 :] == whole[:position] + whole[position + 1 :]


def test_every_error_code_is_in_the_closed_list(rows, pngs):
    root = pngs("a.png")
    for code, content in BROKEN.items():
        (root / f"{code}.png").write_bytes(content)
    assert {row["error"] for row in rows(root)} - {""} <= set(ERROR_CODES)


@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_idx_file_alone_is_one_row_without_an_index(rows, damaged, kind):
    path = damaged(kind)
    assert rows(path) == [
        {
            "path": str(path), "index": "", "label": "", "prediction": "", "confidence": "",
            "status": "error", "error": "damaged_idx",
        }
    ]  # fmt: skip


@pytest.mark.parametrize("out", ["p.csv", "p.csv.gz", "p.parquet"])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_idx_file_leaves_the_rows_of_other_inputs_before_and_behind(
    damaged, shared_files, tmp_path, kind, out
):
    before, behind, path = shared_files / "few.idx", shared_files / "classes", damaged(kind)
    summary = run_job([before, path, behind], out=tmp_path / out, workers=1)
    reads = {"p.csv": pd.read_csv, "p.csv.gz": pd.read_csv, "p.parquet": pd.read_parquet}
    found = reads[out](tmp_path / out)
    assert found["path"].tolist() == [
        *[str(before)] * 300, str(path), *sorted(str(file) for file in behind.rglob("*.png")),
    ]  # fmt: skip
    assert found["error"].fillna("").tolist() == [*[""] * 300, "damaged_idx", *[""] * 60]
    assert summary.tally.statuses.tolist() == [360, 0, 1]
    assert (summary.tally.labelled, summary.exit_code) == (60, 3)


def test_labels_of_a_damaged_idx_file_are_in_no_report(mnist, tmp_path):
    (tmp_path / "x-images-idx3-ubyte").write_bytes(spoil_checksum(gzip.compress(idx_bytes(mnist.images[:1_500]), 1)))
    (tmp_path / "x-labels-idx1-ubyte").write_bytes(idx_bytes(mnist.labels[:1_500]))
    run_job([tmp_path / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", workers=1)
    assert not list(tmp_path.glob("p.*.csv"))
    assert json.loads((tmp_path / "p.run.json").read_text())["labels"] is None


def test_two_damaged_idx_files_in_a_row_are_two_rows(rows, damaged):
    assert [row["error"] for row in rows(damaged("checksum"), damaged("cut"))] == ["damaged_idx", "damaged_idx"]


@pytest.fixture
def confidences(rows, shared_files):
    return sorted(row["confidence"] for row in rows(shared_files / "few.idx"))


def test_rows_below_the_least_confidence_get_a_status_and_those_at_it_do_not(rows, shared_files, confidences):
    limit = confidences[20]
    found = rows(shared_files / "few.idx", min_confidence=float(limit))
    low = [row["confidence"] for row in found if row["status"] == "low_confidence"]
    assert sorted(low) == [confidence for confidence in confidences if confidence < limit]
    assert len(low) == confidences.index(limit)


def test_a_row_of_low_confidence_keeps_its_prediction(rows, shared_files):
    plain = rows(shared_files / "few.idx")
    found = rows(shared_files / "few.idx", min_confidence=1)
    assert {row["status"] for row in found if row["confidence"] != "1.000000"} == {"low_confidence"}
    assert [row["prediction"] for row in found] == [row["prediction"] for row in plain]


def test_low_confidence_is_no_error(tmp_path, shared_files):
    summary = run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", min_confidence=1, workers=1)
    assert summary.exit_code == 0


def test_accuracy_at_the_least_accuracy_passes_and_below_fails(tmp_path, few, classifier):
    # A share that has an exact decimal: of 25 images, all of them right but those given a wrong label.
    good = np.flatnonzero(classifier.predict(few.images) == few.labels)[:25]
    (tmp_path / "y-images-idx3-ubyte").write_bytes(idx_bytes(few.images[good]))
    labels = few.labels[good].copy()
    labels[:3] = (labels[:3] + 1) % 10
    (tmp_path / "y-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    codes = {
        limit: run_job(
            [tmp_path / "y-images-idx3-ubyte"], out=tmp_path / "p.csv", min_accuracy=limit, workers=1
        ).exit_code
        for limit in (0, 0.88, 0.880001, 1)
    }
    assert codes == {0: 0, 0.88: 0, 0.880001: 8, 1: 8}


def test_a_missed_gate_publishes_the_outputs_and_says_so(tmp_path, shared_files):
    summary = run_job(
        [shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", min_accuracy=1, workers=1
    )
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert len(read_rows(tmp_path / "p.csv")) == 300
    assert (account["exit_code"], account["published"], account["gates_failed"]) == (8, True, summary.gates)
    assert summary.gates == [
        f"--min-accuracy 1: accuracy is {summary.tally.correct / 300:.6f} ({summary.tally.correct} of 300 labelled)"
    ]


def test_rows_with_an_error_count_as_wrong_for_the_least_accuracy(tmp_path, few, classifier):
    good = np.flatnonzero(classifier.predict(few.images) == few.labels)[:3]
    for row in good:
        save_png(tmp_path / "in" / str(few.labels[row]) / f"{row}.png", few.images[row])
    (tmp_path / "in" / "7" / "broken.png").parent.mkdir(exist_ok=True)
    (tmp_path / "in" / "7" / "broken.png").write_bytes(b"broken")
    codes = {
        limit: run_job([tmp_path / "in"], out=tmp_path / "p.csv", min_accuracy=limit, max_errors=1, workers=1).exit_code
        for limit in (0.75, 0.76)
    }
    assert codes == {0.75: 0, 0.76: 8}


def test_a_least_accuracy_without_labels_is_wrong_usage(tmp_path, shared_files):
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", min_accuracy=0.5, workers=1)
    assert str(caught.value) == "--min-accuracy: none of the inputs has a label; name them with --labels FILE"
    assert not (tmp_path / "p.csv").exists()


def test_a_least_accuracy_takes_an_idx_label_file(tmp_path, shared_files):
    summary = run_job(
        [shared_files / "few.idx"],
        out=tmp_path / "p.csv",
        labels=shared_files / "labels.idx",
        min_accuracy=0.5,
        workers=1,
    )
    assert (summary.exit_code, summary.tally.labelled) == (0, 300)


@pytest.mark.parametrize(
    ("limit", "code"),
    [(None, 3), ("0", 8), ("1", 8), ("2", 0), (2, 0), ("3", 0), ("0%", 8), ("19.9%", 8), ("20%", 0), ("100%", 0)],
)
def test_two_errors_in_ten_inputs_are_held_against_the_most_errors(tmp_path, pngs, limit, code):
    root = pngs(*(f"{number}.png" for number in range(8)))
    for name in ("x.png", "y.png"):
        (root / name).write_bytes(b"broken")
    assert run_job([root], out=tmp_path / "p.csv", max_errors=limit, workers=1).exit_code == code
    assert len(read_rows(tmp_path / "p.csv")) == 10


@pytest.mark.parametrize("limit", ["", "-1", "x", "1.5", "101%", "%", "5 %", "1e3", "٣", "1\n"])
def test_another_form_of_the_most_errors_is_wrong_usage(shared_files, limit):
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], max_errors=limit, workers=1)
    assert str(caught.value) == f"--max-errors {limit}: expected a count as 20, or a share as 2%"


@pytest.mark.parametrize("limit", [-0.1, 1.1, float("nan"), float("inf")])
@pytest.mark.parametrize("option", ["min_accuracy", "min_confidence"])
def test_a_share_outside_0_to_1_is_wrong_usage(shared_files, option, limit):
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], workers=1, **{option: limit})
    assert str(caught.value).startswith(f"--{option.replace('_', '-')} {limit}: expected a number from 0 to 1, as 0.")


def test_no_workers_are_wrong_usage(shared_files):
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], workers=0)
    assert str(caught.value) == "--workers 0: expected 1 or more"


def test_pictures_of_another_size_are_refused_with_fit_never(rows, tmp_path, few):
    save_png(tmp_path / "in" / "a.png", np.pad(few.images[0], 14))
    save_png(tmp_path / "in" / "b.png", few.images[1])
    assert [row["error"] for row in rows(tmp_path / "in", fit="never")] == ["wrong_shape", ""]


def test_idx_pictures_of_another_size_are_refused_with_fit_never(rows, tmp_path, few):
    (tmp_path / "x.idx").write_bytes(idx_bytes(np.pad(few.images[:3], ((0, 0), (2, 2), (2, 2)))))
    assert [(row["index"], row["error"]) for row in rows(tmp_path / "x.idx", fit="never")] == [
        ("0", "wrong_shape"), ("1", "wrong_shape"), ("2", "wrong_shape"),
    ]  # fmt: skip


def test_pictures_of_another_size_are_classified_with_fit_auto(rows, tmp_path, few):
    save_png(tmp_path / "in" / "a.png", few.images[0].repeat(3, 0).repeat(3, 1))
    assert [(row["status"], row["prediction"]) for row in rows(tmp_path / "in")] == [("ok", "7")]


def test_no_image_is_an_error_that_leaves_the_old_output(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").touch()
    (tmp_path / "p.csv").write_text("old")
    with pytest.raises(NoInputError) as caught:
        run_job([tmp_path / "in"], out=tmp_path / "p.csv", workers=1)
    assert str(caught.value) == (
        f"no image found in {tmp_path}/in (skipped: 1 other_suffix); "
        "is the disk mounted? nothing was published, what was there stays"
    )
    assert (tmp_path / "p.csv").read_text() == "old"
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert (account["exit_code"], account["published"], account["error"]) == (4, False, str(caught.value))


def test_an_idx_file_of_zero_images_is_no_input(tmp_path, few):
    (tmp_path / "x.idx").write_bytes(idx_bytes(few.images[:0]))
    with pytest.raises(NoInputError):
        run_job([tmp_path / "x.idx"], out=tmp_path / "p.csv", workers=1)


def test_reports_stand_beside_the_output_and_nothing_else_is_left(shared_files, tmp_path):
    run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", workers=1)
    assert sorted(os.listdir(tmp_path)) == [
        "p.accuracy.csv", "p.confusion.csv", "p.csv", "p.lock", "p.mistakes.csv", "p.run.json",
    ]  # fmt: skip


def test_without_labels_there_is_only_the_account_of_the_run(shared_files, tmp_path):
    run_job([shared_files / "few.idx"], out=tmp_path / "p.parquet", workers=1)
    assert sorted(os.listdir(tmp_path)) == ["p.lock", "p.parquet", "p.run.json"]


def test_reports_of_an_earlier_run_are_removed_when_there_are_no_labels(shared_files, tmp_path):
    source = shared_files / "labelled" / "x-images-idx3-ubyte"
    run_job([source], out=tmp_path / "p.csv", workers=1)
    run_job([source], out=tmp_path / "p.csv", labels="none", workers=1)
    assert sorted(os.listdir(tmp_path)) == ["p.csv", "p.lock", "p.run.json"]


def test_reports_go_to_their_folder_and_the_predictions_do_not(shared_files, tmp_path):
    (tmp_path / "reports").mkdir()
    source = shared_files / "labelled" / "x-images-idx3-ubyte"
    run_job([source], out=tmp_path / "p.csv", report_dir=tmp_path / "reports", workers=1)
    assert sorted(os.listdir(tmp_path)) == ["p.csv", "p.lock", "reports"]
    assert sorted(os.listdir(tmp_path / "reports")) == [
        "p.accuracy.csv", "p.confusion.csv", "p.mistakes.csv", "p.run.json",
    ]  # fmt: skip


def test_without_reports_there_are_the_predictions_alone(shared_files, tmp_path):
    run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", report=False, workers=1)
    assert sorted(os.listdir(tmp_path)) == ["p.csv", "p.lock"]


@pytest.mark.parametrize("out", ["p.csv", "p.csv.gz", "p.parquet"])
def test_the_account_holds_the_checksum_and_the_rows_of_the_predictions(shared_files, tmp_path, out):
    run_job([shared_files / "few.idx"], out=tmp_path / out, workers=1)
    account = json.loads((tmp_path / "p.run.json").read_text())
    assert account["predictions_sha256"] == hashlib.sha256((tmp_path / out).read_bytes()).hexdigest()
    assert (account["rows"], account["exit_code"], account["published"]) == (300, 0, True)


def test_the_account_says_what_was_counted(shared_files, tmp_path, classifier, few):
    (tmp_path / "7").mkdir()
    (tmp_path / "7" / "broken.png").write_bytes(b"broken")
    (tmp_path / "7" / "notes.txt").touch()
    source = shared_files / "labelled" / "x-images-idx3-ubyte"
    run_job([source, tmp_path / "7"], out=tmp_path / "p.csv", workers=1)
    account = json.loads((tmp_path / "p.run.json").read_text())
    right = int((classifier.predict(few.images) == few.labels).sum())
    assert account["inputs"] == [str(source), str(tmp_path / "7")]
    assert account["statuses"] == {"ok": 300, "low_confidence": 0, "error": 1}
    assert account["errors"] == {"not_an_image": 1}
    assert account["skipped"] == {"other_suffix": 1}
    assert account["model"]["sha256"] == classifier.sha256
    scores = account["labels"]
    assert (scores["all_labelled"]["rows"], scores["all_labelled"]["correct"]) == (301, right)
    assert (scores["predicted"]["rows"], scores["predicted"]["correct"]) == (300, right)
    assert scores["predicted"]["accuracy"] == round(right / 300, 6)
    low, high = scores["predicted"]["wilson_95"]
    assert low < right / 300 < high
    true_class = classifier.predict_proba(few.images)[np.arange(300), few.labels]
    millionths = np.maximum(np.rint(true_class * 1e6), 0.5)  # as written; what rounds to zero counts half a millionth
    assert scores["log_loss"] == pytest.approx(-np.log(millionths / 1e6).mean(), abs=2e-6)


def test_the_reports_agree_with_the_predictions(shared_files, tmp_path):
    run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", workers=1)
    found = pd.read_csv(tmp_path / "p.csv")
    expected = pd.crosstab(found["label"], found["prediction"]).reindex(range(10), columns=range(10), fill_value=0)
    confusion = pd.read_csv(tmp_path / "p.confusion.csv", index_col="true\\predicted")
    assert confusion.to_numpy().tolist() == expected.to_numpy().tolist()
    scores = pd.read_csv(tmp_path / "p.accuracy.csv", index_col="class")
    assert scores.loc["all", "recall"] == pytest.approx((found["label"] == found["prediction"]).mean(), abs=1e-6)
    wrong = found[found["label"] != found["prediction"]].sort_values("confidence", ascending=False, kind="stable")
    mistakes = pd.read_csv(tmp_path / "p.mistakes.csv")
    assert mistakes["index"].tolist() == wrong["index"].tolist()


def test_the_header_of_the_accuracy_report_is_as_documented(shared_files, tmp_path):
    run_job([shared_files / "labelled" / "x-images-idx3-ubyte"], out=tmp_path / "p.csv", workers=1)
    lines = (tmp_path / "p.accuracy.csv").read_text().splitlines()
    assert lines[0] == "class,support,predicted,correct,precision,recall,f1"
    assert [row[0] for row in csv.reader(lines[1:])] == [*"0123456789", "macro", "weighted", "all"]


def test_the_mode_of_a_new_file_is_that_of_the_umask(shared_files, tmp_path):
    mask = os.umask(0o027)
    try:
        run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1)
    finally:
        os.umask(mask)
    assert (tmp_path / "p.csv").stat().st_mode & 0o777 == 0o640


def test_the_mode_of_a_replaced_file_stays(shared_files, tmp_path):
    (tmp_path / "p.csv").touch()
    (tmp_path / "p.csv").chmod(0o604)
    run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1)
    assert (tmp_path / "p.csv").stat().st_mode & 0o777 == 0o604


def test_a_missing_output_folder_is_named(shared_files, tmp_path):
    with pytest.raises(OutputError) as caught:
        run_job([shared_files / "few.idx"], out=tmp_path / "gone" / "p.csv", workers=1)
    assert str(caught.value) == f"{tmp_path}/gone: no such folder for the outputs; make it first: mkdir -p"


def test_a_folder_as_output_is_wrong_usage(shared_files, tmp_path):
    (tmp_path / "p.csv").mkdir()
    with pytest.raises(UsageError) as caught:
        run_job([shared_files / "few.idx"], out=tmp_path / "p.csv", workers=1)
    assert str(caught.value) == f"--out {tmp_path}/p.csv: is a folder; expected a file name ending in .csv"


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
