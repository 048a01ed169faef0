"""NumPy's arrays, tables of pixels and Parquet: the same digits give the same rows, whatever holds them."""

import gzip
import io
import json
import pickle
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from support.helpers import read_rows

from batch_infer.errors import DamagedArrayError, ImageError, InputLostError, UsageError
from batch_infer.inputs.arrays.open_array import open_array
from batch_infer.job.run import run_job

HEADER = ["label", *(f"pixel{number}" for number in range(784))]


def kaggle(images, labels=None, header=True, separator=",", scale=None) -> bytes:
    """A table of pixels as Kaggle's, as text."""
    table = images.reshape(len(images), -1) if scale is None else images.reshape(len(images), -1) / scale
    lines = [separator.join(HEADER if labels is not None else HEADER[1:])] if header else []
    for number, pixels in enumerate(table.tolist()):
        lines.append(separator.join(map(str, pixels if labels is None else [labels[number], *pixels])))
    return "\n".join(lines).encode() + b"\n"


def parquet(images, labels, *, struct=True) -> bytes:
    """A table of PNGs as on Hugging Face."""
    files = []
    for image in images:
        data = io.BytesIO()
        Image.fromarray(image).save(data, "PNG")
        files.append({"bytes": data.getvalue(), "path": None} if struct else data.getvalue())
    written = io.BytesIO()
    pq.write_table(pa.table({"image": files, "label": pa.array(labels, pa.int64())}), written, row_group_size=70)
    return written.getvalue()


def npy(array) -> bytes:
    data = io.BytesIO()
    np.save(data, array, allow_pickle=True)
    return data.getvalue()


def npz(save=np.savez_compressed, **arrays) -> bytes:
    data = io.BytesIO()
    save(data, **arrays)
    return data.getvalue()


ARRAYS = {
    "uint8": lambda x: x,
    "channel last": lambda x: x[..., np.newaxis],
    "channel first": lambda x: x[:, np.newaxis],
    "flattened": lambda x: x.reshape(-1, 784),
    "int64": lambda x: x.astype(np.int64),
    "big-endian": lambda x: x.astype(">i4"),
    "float32": lambda x: (x / 255).astype(np.float32),
    "float64": lambda x: x.astype(np.float64),
    "Fortran": np.asfortranarray,
    "Fortran flattened": lambda x: np.asfortranarray(x.reshape(-1, 784)),
}


@pytest.fixture
def answers(rows):
    """The rows of a file without its path and labels."""

    def get(path, **options):
        return [{**row, "path": "", "label": ""} for row in rows(path, **options)]

    return get


@pytest.mark.parametrize("kind", ARRAYS)
def test_an_array_gives_the_rows_of_the_idx_file(answers, few, few_idx, file, kind):
    assert answers(file(npy(ARRAYS[kind](few.images)))) == answers(few_idx)


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_an_array_of_an_archive_is_named_and_brings_its_labels(rows, answers, few, few_idx, file, save):
    path = file(
        npz(save, x_train=few.images[:9], y_train=few.labels[:9], x_test=few.images, y_test=few.labels), "m.npz"
    )
    assert answers(f"{path}::x_test") == answers(few_idx)
    found = rows(f"{path}::x_test")
    assert [row["label"] for row in found] == few.labels.astype(str).tolist()
    assert found[0]["path"] == f"{path}::x_test"


def test_an_archive_of_several_arrays_of_images_asks_for_the_name(few, file):
    path = file(npz(x_train=few.images, y_train=few.labels, x_test=few.images), "m.npz")
    with pytest.raises(UsageError) as caught:
        open_array(path)
    assert str(caught.value) == f"{path}: holds x_train, x_test; name one of them: {path}::x_test"
    with pytest.raises(UsageError, match=r"::test: no such array; there are x_train, y_train, x_test$"):
        open_array(f"{path}::test")


def test_the_only_array_of_images_needs_no_name(few, file):
    source = open_array(file(npz(images=few.images, labels=few.labels[:, np.newaxis]), "m.npz"))
    assert source.labels().tolist() == few.labels.tolist()


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize(
    "options",
    [{}, {"header": False}, {"separator": ";"}, {"scale": 255}],
    ids=["header", "none", "semicolon", "floats"],
)
def test_a_table_of_pixels_gives_the_rows_and_labels_of_the_idx_file(rows, few, labelled, file, pack, options):
    found = rows(file(pack(kaggle(few.images, few.labels, **options))))
    assert [{**row, "path": ""} for row in found] == [{**row, "path": ""} for row in rows(labelled)]


def test_a_table_without_labels_has_none(rows, few, file):
    found = rows(file(kaggle(few.images[:5])))
    assert [(row["index"], row["label"]) for row in found] == [(str(number), "") for number in range(5)]


def test_columns_of_pixels_are_ordered_by_their_numbers_and_windows_line_ends_read(few, file):
    order = sorted(range(784), key=str)
    lines = [",".join(["id", *(f"pixel{number}" for number in order), "class"])]
    lines += [
        ",".join(map(str, [number, *image.reshape(-1)[order], label]))
        for number, (image, label) in enumerate(zip(few.images[:5], few.labels[:5], strict=True))
    ]
    source = open_array(file("\ufeff".encode() + "\r\n".join(lines).encode()))
    np.testing.assert_array_equal(next(source.stream(5)), few.images[:5])
    assert source.labels().tolist() == few.labels[:5].tolist()


def test_an_empty_label_is_unknown_and_a_wrong_one_is_refused(few, file, tmp_path):
    labels = ["7", "", "2.0"]
    assert open_array(file(kaggle(few.images[:3], labels))).labels().tolist() == [7, -1, 2]
    path = file(kaggle(few.images[:2], [7, 11]))
    with pytest.raises(UsageError) as caught:
        run_job([path], out=tmp_path / "p.csv")
    assert str(caught.value) == (
        f"{path}: the column of labels: label 11 at index 1; expected 0 to 9; "
        "name other labels with --labels FILE, or go without: --labels none"
    )
    assert run_job([path], out=tmp_path / "p.csv", labels="none").exit_code == 0


@pytest.mark.parametrize("struct", [True, False])
def test_parquet_of_image_files_gives_the_rows_of_the_idx_file(rows, few, labelled, file, struct):
    found = rows(file(parquet(few.images, few.labels, struct=struct)))
    assert [{**row, "path": ""} for row in found] == [{**row, "path": ""} for row in rows(labelled)]


def test_an_image_file_in_parquet_that_is_damaged_or_missing_is_its_own_row(rows, file):
    written = io.BytesIO()
    pq.write_table(pa.table({"image": pa.array([b"broken", None], pa.binary())}), written)
    assert [(row["index"], row["error"]) for row in rows(file(written.getvalue()))] == [
        ("0", "not_an_image"), ("1", "empty"),
    ]  # fmt: skip


def test_a_picture_with_nan_is_its_own_row(rows, few, file):
    images = few.images[:3] / 255
    images[1, 3, 4] = np.nan
    assert [row["error"] for row in rows(file(npy(images)))] == ["", "non_finite", ""]


def test_a_single_picture_and_other_sizes_are_normalized(rows, few, file):
    (one,) = rows(file(npy(few.images[1])))
    assert (one["index"], one["prediction"]) == ("0", "2")
    large = few.images[:20].repeat(2, 1).repeat(2, 2)
    assert [row["prediction"] for row in rows(file(npy(large)))][1:] == few.labels[1:20].astype(str).tolist()


@pytest.mark.parametrize("content", ["npy", "npz", "csv", "parquet"])
def test_any_number_of_workers_and_a_second_incremental_run_give_the_same_bytes(mnist, file, tmp_path, content):
    images, labels = mnist.images[:5000], mnist.labels[:5000]
    path = file(
        {
            "npy": lambda: npy(images / 255),
            "npz": lambda: npz(x=images.astype(np.float32), y=labels),
            "csv": lambda: kaggle(images, labels),
            "parquet": lambda: parquet(images, labels),
        }[content]()
    )
    for name, options in {"a": {"workers": 1}, "b": {"workers": 2}, "c": {"workers": 2, "incremental": True}}.items():
        assert run_job([path], out=tmp_path / f"{name}.csv", **options).exit_code == 0
    run_job([path], out=tmp_path / "c.csv", workers=1, incremental=True)
    assert len({(tmp_path / f"{name}.csv").read_bytes() for name in "abc"}) == 1
    assert len(read_rows(tmp_path / "a.csv")) == 5000


def zipped(name: str) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr(name, "x")
    return data.getvalue()


DIGITS = np.zeros((4, 28, 28), np.uint8)
SHAPES = "expected images of shape (n, 28, 28) or another size, or (n, 784)"
OBJECTS = "an array of Python objects (a pickle), which is never read; in Python: np.save('digits.npy', np.stack(list("


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (npy(DIGITS)[:-1], "the header says shape (4, 28, 28), so 3264 bytes; there are 3263"),
        (npy(DIGITS)[:90], "the header of the array is cut off, or of an unknown version"),
        (npy(np.zeros(4)), f"an array of shape (4,); {SHAPES}; labels?"),
        (npy(np.zeros((1797, 64))), f"an array of shape (1797, 64); {SHAPES}; flattened? reshape it: x.reshape(-1, 8"),
        (npy(np.zeros((9, 32, 32, 3))), f"an array of shape (9, 32, 32, 3); {SHAPES}; colour? make it grey: x.mean(a"),
        (npy(np.array([{}, {}])), OBJECTS),
        (npy(DIGITS.astype("U1")), "an array of type <U1; expected grey values (bool, integers or floats)"),
        (npz(x=DIGITS)[:-30], "a damaged archive (.npz): File is not a zip file"),
        (kaggle(DIGITS, [1, 2, 3, 4])[:-3], "line 5 has 784 cells; expected 785, as in the first line"),
        (kaggle(DIGITS) + b"x" * 9 + b",0" * 783, "line 6 has a cell that is no number"),
        (
            b"," * 99 + b"\n",
            "a table of 100 columns (,,,…); expected the pixels of a square image in each row: label,p",
        ),
        (parquet(DIGITS, [1, 2, 3, 4])[:-9], "damaged Parquet data: "),
    ],
)
def test_what_is_damaged_is_one_row(run, file, content, words):
    done = run(file(content, "x"), "--out", "p.csv")
    lines = done.stderr.splitlines()
    assert (done.code, len(lines)) == (3, 2)
    assert lines[0].partition(": damaged_idx (")[2].startswith(words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (pickle.dumps([1]), "a pickle, which is never read"),
        (gzip.compress(pickle.dumps([1]), mtime=0), "a pickle, which is never read"),
        (b"MATLAB 5.0 MAT-file", "a MATLAB file; convert it in Python: scipy.io.loadmat"),
        (zipped("a/1.png"), "an archive; unpack it, and name the folder (zip)"),
        (zipped("archive/data.pkl"), "a file of torch.save (a pickle), which is never read"),
        (zipped("xl/workbook.xml"), "an Excel workbook; save the table as CSV"),
        (gzip.compress(bytes(257) + b"ustar", mtime=0), "an archive; unpack it, and name the folder"),
    ],
)
def test_what_is_known_and_not_read_says_the_way(file, content, words):
    with pytest.raises(ImageError) as caught:
        open_array(file(content))
    assert (caught.value.code, caught.value.detail.startswith(words)) == ("not_an_image", True)


@pytest.mark.parametrize("content", ["npy", "npz", "csv", "parquet"])
def test_a_file_that_changes_after_the_check_ends_the_run(few, file, content):
    make = {
        "npy": lambda: npy(few.images),
        "npz": lambda: npz(x=few.images),
        "csv": lambda: kaggle(few.images),
        "parquet": lambda: parquet(few.images, few.labels),
    }[content]
    path = file(make())
    source = open_array(path)
    file(make() + b"1")
    with pytest.raises(InputLostError, match="was changed during the run"):
        list(source.stream(300)) if source.sequential else source.read(0, 300)


@pytest.mark.parametrize("content", ["npy", "npz", "csv", "parquet"])
def test_bytes_changed_at_random_are_read_or_damaged(few, file, content):
    whole = {
        "npy": lambda: npy(few.images[:20]),
        "npz": lambda: npz(x=few.images[:20], y=few.labels[:20]),
        "csv": lambda: kaggle(few.images[:20], few.labels[:20]),
        "parquet": lambda: parquet(few.images[:20], few.labels[:20]),
    }[content]()
    rng = np.random.default_rng(0)
    for _ in range(150):
        data = bytearray(whole)
        for _ in range(rng.integers(1, 4)):
            data[rng.integers(0, len(data))] = rng.integers(0, 256)
        path = file(bytes(data[: rng.integers(len(data) // 2, len(data) + 1)]))
        try:
            source = open_array(path)
        except (DamagedArrayError, ImageError, UsageError):
            continue
        if source is not None:
            found = list(source.stream(7)) if source.sequential else [source.read(0, source.shape[0])]
            assert sum(map(len, found)) == source.shape[0]


def test_run_json_and_out_know_the_file_of_a_named_array(few, file, tmp_path):
    path = file(npz(x=few.images, y=few.labels), "m.npz")
    run_job([f"{path}::x"], out=tmp_path / "p.csv")
    assert json.loads((tmp_path / "p.run.json").read_text())["inputs"] == [f"{path}::x"]
