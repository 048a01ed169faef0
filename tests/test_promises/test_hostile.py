"""Inputs that are out to hang, crash or fill the memory: a row each, and the run goes on."""

import gzip
import io
import json
import os
import shutil
import stat
import struct
import subprocess
import sys
import threading
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image
from support.helpers import DEADLINE, png_chunk, read_rows, save_png, support_environment, support_program

from batch_infer.inputs.arrays.idx import idx_bytes

pytestmark = pytest.mark.slow  # writes large pictures and starts many processes: not for --quick

MEGABYTE = 1 << 20
SIDE = 7071  # px; squared just below the 50 megapixels that are decoded


def black_png(side: int, *, bits: int, colour: int, channels: int, more: bytes = b"") -> bytes:
    """A black square PNG of any size, a hundredth or less of its pixels long."""
    row, packer = bytes(-(-side * bits * channels // 8) + 1), zlib.compressobj(6)
    pixels = b"".join(packer.compress(row) for _ in range(side)) + packer.flush()
    header = struct.pack(">IIBBBBB", side, side, bits, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", header) + more + png_chunk(b"IDAT", pixels) + png_chunk(b"IEND")


def saved(image: Image.Image, kind: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def frames(side: int) -> dict:
    first, *others = [Image.new("RGB", (side, side), (shade, 0, 0)) for shade in range(8)]
    return {"image": first, "save_all": True, "append_images": others}


@pytest.fixture(scope="module")
def bombs(tmp_path_factory):
    """Pictures of few bytes and many pixels, and IDX files of few bytes and many images; each with its code."""
    folder = tmp_path_factory.mktemp("bombs")
    palette = png_chunk(b"PLTE", bytes(768)) + png_chunk(b"tRNS", bytes(256))
    text = png_chunk(b"zTXt", b"k\0\0" + zlib.compress(bytes(10**8), 1))
    contents = {
        "169-megapixels.png": black_png(13_000, bits=1, colour=0, channels=1),
        "animation.gif": saved(kind="GIF", **frames(2000)),
        "animation.webp": saved(kind="WEBP", **frames(1800)),
        "cmyk.jpg": saved(Image.new("CMYK", (SIDE, SIDE)), "JPEG", progressive=True),
        "grey-alpha.png": black_png(SIDE, bits=8, colour=4, channels=2),
        "palette-alpha.png": black_png(SIDE, bits=8, colour=3, channels=1, more=palette),
        "rgba.png": black_png(SIDE, bits=8, colour=6, channels=4),
        "text.png": black_png(28, bits=8, colour=0, channels=1, more=text),
    }  # fmt: skip
    assert len(contents["169-megapixels.png"]) < 25_000
    for name, content in contents.items():
        (folder / "in" / name).parent.mkdir(exist_ok=True)
        (folder / "in" / name).write_bytes(content)
    with (folder / "in" / "sparse.png").open("wb") as file:
        file.truncate(3 << 30)
    (folder / "one-image.gz").write_bytes(
        gzip.compress(struct.pack(">4I", 0x803, 1, 28, 28) + bytes(300 * MEGABYTE), 1)
    )
    (folder / "large.gz").write_bytes(gzip.compress(struct.pack(">4I", 0x803, 2, 4096, 4096) + bytes(2 << 24), 1))
    (folder / "claims.gz").write_bytes(
        gzip.compress(struct.pack(">4I", 0x803, 2**32 - 1, 4096, 4096) + bytes(1 << 24), 1)
    )
    with (folder / "sparse.idx").open("wb") as file:
        file.write(struct.pack(">4I", 0x803, 10, 28, 28))
        file.truncate(3 << 30)
    return folder


def measured(*arguments, cwd) -> tuple[int, str, str, float]:
    """Run the command → exit code, stdout, stderr, and the peak of resident memory of its largest process in MB."""
    command = [*support_program("watched.peak_memory"), sys.executable, "-m", "batch_infer", *map(str, arguments)]
    done = subprocess.run(
        command, env=support_environment(), cwd=cwd, capture_output=True, timeout=DEADLINE, check=True
    )
    return tuple(json.loads(done.stdout))


def test_bombs_are_a_row_each_and_take_less_than_400_mb_beside_what_a_picture_takes(bombs, few, tmp_path):
    small = save_png(tmp_path / "a.png", 200 - few.images[0] // 2)  # one that needs the normalization and its library
    beside = measured(small, "--out", "small.csv", cwd=tmp_path)[3]
    inputs = ["in", "one-image.gz", "large.gz", "claims.gz", "sparse.idx"]
    code, stdout, stderr, peak = measured(*inputs, "--out", tmp_path / "p.csv", cwd=bombs)
    assert (code, stdout) == (3, "")
    assert "Traceback" not in stderr
    found = [(row["path"].removeprefix("in/"), row["index"], row["error"]) for row in read_rows(tmp_path / "p.csv")]
    assert found == [
        ("169-megapixels.png", "", "too_large"), ("animation.gif", "", "no_digit"), ("animation.webp", "", "no_digit"),
        ("cmyk.jpg", "", "no_digit"), ("grey-alpha.png", "", "no_digit"), ("palette-alpha.png", "", "no_digit"),
        ("rgba.png", "", "no_digit"), ("sparse.png", "", "too_large"), ("text.png", "", "no_digit"),
        ("one-image.gz", "", "damaged_idx"), ("large.gz", "0", "no_digit"), ("large.gz", "1", "no_digit"),
        ("claims.gz", "", "damaged_idx"), ("sparse.idx", "", "damaged_idx"),
    ]  # fmt: skip
    assert peak - beside < 400


POLYGLOTS = {
    "eps.png": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n(%pipe%touch started) (w) file\n%%EOF\n",
    "dos-eps.jpg": b"\xc5\xd0\xd3\xc6" + struct.pack("<6I", 30, 20, 0, 0, 0, 0) + b"\xff\xff%!PS-Adobe-3.0\n",
    "html.gif": b"<!DOCTYPE html><script>alert(1)</script>",
    "svg.webp": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><image href="http://127.0.0.1/"/></svg>',
    "mvg.bmp": b"push graphic-context\nfill 'url(https://127.0.0.1/\";touch started\")'\n",
    "sh.pgm": b"#!/bin/sh\ntouch started\n",
    "elf.png": b"\x7fELF\2\1\1" + bytes(57),
    "pdf.png": b"%PDF-1.7\n1 0 obj<</OpenAction<</S/Launch/F(touch)>>>>endobj\n",
    "pickle.png": b"cos\nsystem\n(S'touch started'\ntR.",
}


def test_polyglots_are_no_images_and_start_nothing(few, tmp_path, program):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a.png", saved(Image.fromarray(few.images[0]), "PNG"))
    contents = {**POLYGLOTS, "zip.png": archive.getvalue(), "idx.png": idx_bytes(few.images[:3])}
    for name, content in contents.items():
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(content)
    done = program("watched.children", "in", "--out", "p.csv", "--quiet", "--no-report")
    assert (done.code, done.stdout) == (3, "no child\n")
    found = {row["path"]: row["error"] for row in read_rows(tmp_path / "p.csv")}
    assert found == {f"in/{name}": "not_an_image" for name in contents}
    assert sorted(os.listdir(tmp_path)) == ["in", "p.csv", "p.lock"]


def test_a_picture_with_an_archive_behind_it_is_the_picture(few, tmp_path, rows):
    path = save_png(tmp_path / "a.png", few.images[0])
    with zipfile.ZipFile(path, "a") as file:
        file.writestr("b.html", "<html>")
    assert [(row["prediction"], row["error"]) for row in rows(path)] == [("7", "")]


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("grows", ""), ("shrinks", "truncated"), ("is emptied", "empty"), ("is replaced", ""), ("vanishes", "vanished"),
        ("becomes a FIFO", "not_regular"), ("becomes a folder", "not_regular"), ("becomes a device", "not_regular"),
    ],
)  # fmt: skip
def test_a_picture_that_changes_before_it_is_opened_is_a_row(few, tmp_path, program, kind, error):
    for name in "abc":
        save_png(tmp_path / "in" / f"{name}.png", few.images[0])
    (tmp_path / "in" / "b.png.other").write_bytes(saved(Image.fromarray(few.images[1]), "PNG"))
    done = program("faults.changing_file", "in/b.png", kind, 1, "in", "--out", "p.csv", "--quiet")
    assert done.code == (3 if error else 0)
    assert int(done.stdout) < 0
    found = [(row["prediction"], row["error"]) for row in read_rows(tmp_path / "p.csv")]
    changed = "" if error else "2" if kind == "is replaced" else "7"
    assert found == [("7", ""), (changed, error), ("7", "")]


KINDS = ["grows", "shrinks", "is replaced", "vanishes", "becomes a FIFO", "becomes a folder", "becomes a device"]


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("name", ["x.idx", "x.gz"])
def test_an_idx_file_that_changes_in_mid_run_is_exit_4(mnist, shared_files, tmp_path, program, name, workers):
    content = idx_bytes(mnist.images[:5_000])
    content = gzip.compress(content, 1) if name == "x.gz" else content
    inputs = [name, shared_files / "pngs" / "00000.png", "--quiet", "--workers", workers, "--out", "p.csv"]
    (tmp_path / "p.csv").write_text("old")
    for kind in KINDS:
        shutil.rmtree(tmp_path / name) if (tmp_path / name).is_dir() else (tmp_path / name).unlink(missing_ok=True)
        (tmp_path / name).write_bytes(content)
        (tmp_path / f"{name}.other").write_bytes(content)
        # It is opened to see what it is, to be checked, and to be read: then it changes, in a worker if there are any.
        done = program("faults.changing_file", name, kind, 3, *inputs)
        assert (kind, done.code, done.stderr.count("\n")) == (kind, 4, 1)
        assert done.stderr.startswith(f"batch-infer: {name}: ")
        assert "nothing was published, what was there stays" in done.stderr
        assert (tmp_path / "p.csv").read_text() == "old"
        assert json.loads((tmp_path / "p.run.json").read_text())["published"] is False


def vandalise(folder: str, done: threading.Event) -> int:
    """Change files in a folder at random until told to stop → how many."""
    random, count, names = np.random.default_rng(0), 0, sorted(os.listdir(folder))
    original = open(os.path.join(folder, names[0]), "rb").read()  # noqa: SIM115
    while not done.is_set():
        path = os.path.join(folder, str(random.choice(names)))
        spare = path + ".new"
        what = random.integers(6)
        if what < 4:
            with open(spare, "wb") as file:
                file.write([original, original[:200], b"", original * 3][what])
        elif what == 4:
            os.mkfifo(spare)
        else:
            os.symlink("/dev/zero", spare)
        os.replace(spare, path)
        with open(path, "r+b") if what < 4 else open(os.devnull, "r+b") as file:
            file.truncate(int(random.integers(1, 400)) if what < 4 else None) if what == 1 else file.write(original)
        count += 1
    return count


def test_a_folder_that_changes_all_the_time_is_a_row_for_each_file(few, tmp_path, run):
    names = [f"{number:03}.png" for number in range(300)]
    for name in names:
        save_png(tmp_path / "in" / name, few.images[0])
    done, changes = threading.Event(), []
    vandal = threading.Thread(target=lambda: changes.append(vandalise(str(tmp_path / "in"), done)))
    vandal.start()
    try:
        for _ in range(4):
            finished = run("in", "--out", "p.csv", "--quiet", "--incremental")
            assert (finished.code, finished.stdout) == (3, "")
            assert "Traceback" not in finished.stderr
            found = read_rows(tmp_path / "p.csv")
            assert [row["path"] for row in found] == [f"in/{name}" for name in names]
            assert {row["prediction"] for row in found if not row["error"]} <= {"7"}
            account = json.loads((tmp_path / "p.run.json").read_text())
            assert account["rows"] == sum(account["statuses"].values()) == 300
            assert account["statuses"]["error"] == sum(account["errors"].values())
    finally:
        done.set()
        vandal.join()
    assert changes[0] > 100


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes device files; FIFOs and sockets are tried by everybody")
def test_device_files_in_a_folder_are_not_regular(few, tmp_path, rows):
    save_png(tmp_path / "in" / "a.png", few.images[0])
    os.mknod(tmp_path / "in" / "zero.png", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    os.mknod(tmp_path / "in" / "block.png", stat.S_IFBLK | 0o666, os.makedev(254, 0))
    assert [row["error"] for row in rows(tmp_path / "in")] == ["", "not_regular", "not_regular"]


def sparse(path, head: bytes = b""):
    with path.open("wb") as file:
        file.write(head)
        file.truncate(3 << 30)
    return path


def test_option_files_without_an_end_are_refused_and_do_not_fill_the_memory(tmp_path, few):
    save_png(tmp_path / "a.png", few.images[0])
    sparse(tmp_path / "sparse")
    sparse(tmp_path / "table.csv", b"path,label\na.png,7\n")
    os.mkfifo(tmp_path / "fifo")
    cases = {
        ("a.png", "--labels", "sparse"): "--labels sparse: not a readable CSV file: field larger",
        ("a.png", "--labels", "table.csv"): "--labels table.csv: not a readable CSV file: ",
        ("a.png", "--labels", "fifo"): "--labels fifo: not a regular file; write the labels into one",
        ("a.png", "--labels", "/dev/zero"): "--labels /dev/zero: not a regular file; write the labels into one",
        ("--files-from", "sparse"): "--files-from sparse: more than 256 MB; expected a list of names",
        ("--files-from", "/dev/zero", "-0"): "--files-from /dev/zero: more than 256 MB; expected a list of names",
        ("a.png", "--model", "sparse"): "sparse: 3,221,225,472 bytes; expected a model of 1 byte to 64 MB",
        ("a.png", "--model", "fifo"): "fifo: not a regular file; expected a model from: python -m export onnx",
    }
    for arguments, message in cases.items():
        code, stdout, stderr, peak = measured(*arguments, "--out", "p.csv", cwd=tmp_path)
        assert (code, stdout, stderr.count("\n")) == (5 if "--model" in arguments else 2, "", 1), stderr
        assert stderr.startswith(f"batch-infer: {message}")
        assert peak < 600
    assert not (tmp_path / "p.csv").exists()
