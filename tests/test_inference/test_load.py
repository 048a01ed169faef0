"""Loading images: whatever a file holds, it is one row, and its neighbours are classified; --fit."""

import io
import os
from urllib.parse import unquote_to_bytes

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from support.helpers import read_rows, save_png
from support.predictions import read_frame

from batch_infer import run_job
from batch_infer.contract import ERROR_CODES
from batch_infer.inputs.arrays.idx import idx_bytes


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


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
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


@pytest.mark.slow
@settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    st.dictionaries(NAMES, CONTENTS, min_size=1, max_size=6),
    st.sampled_from(["p.csv", "p.csv.gz", "p.jsonl", "p.parquet"]),
)
def test_whatever_is_the_name_and_whatever_the_content_each_file_is_one_row(tmp_path_factory, files, out):
    folder = tmp_path_factory.mktemp("any")
    (folder / "in").mkdir()
    for name, content in files.items():
        with open(os.fsencode(folder / "in") + b"/" + name, "wb") as file:
            file.write(content)
    summary = run_job([folder / "in"], out=folder / out, workers=1, labels="none")
    found = read_frame(folder / out)
    assert [unquote_to_bytes(path) for path in found["path"]] == [
        os.fsencode(folder / "in") + b"/" + name for name in sorted(files)
    ]
    assert set(found["error"].dropna()) <= set(ERROR_CODES)
    assert summary.exit_code == (3 if found["error"].notna().any() else 0)
    assert ((found["status"] == "error") == found["error"].notna()).all()
    assert (found["prediction"].isna() == found["error"].notna()).all()


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
