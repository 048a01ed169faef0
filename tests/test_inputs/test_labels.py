"""Labels: beside an IDX file, by folders, from a file, and everything that does not fit."""

import gzip
import os
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from batch_infer.errors import UsageError
from batch_infer.inputs.chunks import chunks
from batch_infer.inputs.discover import discover
from batch_infer.inputs.idx import idx_bytes
from batch_infer.inputs.labels import attach_labels


def labels_of(*inputs, labels="auto") -> list[int]:
    """The labels of all rows; -1 where unknown."""
    inventory = discover(map(os.fspath, inputs))
    attach_labels(inventory, os.fspath(labels))
    return [label for chunk in chunks(inventory) for label in chunk.labels.tolist()]


def refusal(*inputs, labels="auto") -> str:
    with pytest.raises(UsageError) as caught:
        labels_of(*inputs, labels=labels)
    return str(caught.value)


@pytest.fixture
def idx(tmp_path, few):
    """Write an IDX file of three images, and files beside it."""

    def write(name="x-images-idx3-ubyte", **beside: bytes):
        content = idx_bytes(few.images[:3])
        (tmp_path / name).write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        for other, data in beside.items():
            (tmp_path / other.replace("_", "-")).write_bytes(data)
        return tmp_path / name

    return write


@pytest.fixture
def table(tmp_path):
    """Write a labels file."""

    def write(content: str | bytes, name="labels.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


THREE = idx_bytes(np.array([7, 2, 1], np.uint8))


@pytest.mark.parametrize(
    ("images", "sibling", "content"),
    [
        ("x-images-idx3-ubyte", "x-labels-idx1-ubyte", THREE),
        ("x-images-idx3-ubyte.gz", "x-labels-idx1-ubyte.gz", gzip.compress(THREE, mtime=0)),
        ("x-images-idx3-ubyte", "x-labels-idx1-ubyte.gz", gzip.compress(THREE, mtime=0)),
        ("x-images-idx3-ubyte.gz", "x-labels-idx1-ubyte", THREE),
        ("x-images.idx3-ubyte", "x-labels.idx1-ubyte", THREE),
        (
            "qmnist-test-images-idx3-ubyte",
            "qmnist-test-labels-idx2-int",
            struct.pack(">4B2I", 0, 0, 0x0C, 2, 3, 8) + struct.pack(">24i", 7, *[0] * 7, 2, *[0] * 7, 1, *[0] * 7),
        ),
    ],
)
def test_labels_beside_an_idx_file_are_found_by_name(idx, tmp_path, images, sibling, content):
    path = idx(images)
    (tmp_path / sibling).write_bytes(content)
    assert labels_of(path) == [7, 2, 1]


def test_an_idx_file_by_another_name_has_no_labels_beside_it(idx):
    assert labels_of(idx("digits", x_labels_idx1_ubyte=THREE)) == [-1, -1, -1]


def test_labels_of_another_count_beside_an_idx_file_are_wrong_usage(idx):
    path = idx(x_labels_idx1_ubyte=idx_bytes(np.array([7, 2], np.uint8)))
    assert refusal(path) == (
        f"labels {path.parent}/x-labels-idx1-ubyte do not fit {path}: it has 2 labels for 3 images; "
        "name another file with --labels FILE, or go without: --labels none"
    )


def test_damaged_labels_beside_an_idx_file_are_wrong_usage(idx):
    assert "there are 2; name another file" in refusal(idx(x_labels_idx1_ubyte=THREE[:-1]))


def test_none_ignores_the_labels_beside_an_idx_file(idx):
    assert labels_of(idx(x_labels_idx1_ubyte=b"damaged"), labels="none") == [-1, -1, -1]


def test_folders_named_by_digits_label_their_files(pngs):
    assert labels_of(pngs("7/a.png", "2/b.png", "2/c.png")) == [2, 2, 7]


def test_only_the_parent_folder_counts(pngs):
    assert labels_of(pngs("batch/7/a.png", "3/7/b.png")) == [7, 7]


def test_an_input_folder_that_is_itself_named_by_a_digit_labels_its_files(pngs):
    assert labels_of(pngs("a.png", folder="in/4")) == [4]


@pytest.mark.parametrize("name", ["a.png", "other/a.png", "10/a.png", "٣/a.png", "7 /a.png"])
def test_one_folder_by_another_name_leaves_the_whole_input_without_labels(pngs, name):
    assert labels_of(pngs("7/a.png", name)) == [-1, -1]


def test_each_input_is_labelled_by_itself(pngs):
    assert labels_of(pngs("7/a.png", folder="one"), pngs("a.png", folder="two")) == [7, -1]


def test_none_ignores_the_names_of_folders(pngs):
    assert labels_of(pngs("7/a.png"), labels="none") == [-1]


def test_a_csv_file_labels_by_paths_as_in_the_output(pngs, table):
    root = pngs("a.png", "b.png")
    assert labels_of(root, labels=table(f"path,label\n{root}/b.png,3\n{root}/a.png,4\n")) == [4, 3]


def test_a_csv_file_labels_by_paths_relative_to_itself(pngs, table, monkeypatch):
    monkeypatch.chdir("/")
    root = pngs("a.png", "b.png")
    assert labels_of(root, labels=table("path,label\nin/b.png,3\n")) == [-1, 3]


def test_a_csv_file_labels_by_escaped_and_by_plain_names(pngs, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pngs("a\nb.png", "%41.png")
    content = 'path,label\n"in/a\nb.png",3\nin/%2541.png,4\n'
    assert labels_of("in", labels=table(content)) == [4, 3]


def test_a_csv_file_may_have_more_columns_quotes_crlf_and_a_byte_order_mark(pngs, table):
    root = pngs("a.png")
    assert labels_of(root, labels=table(f'\ufeffnote,label,path\r\nx,7,"{root}/a.png"\r\n')) == [7]


def test_a_csv_file_wins_entirely_over_folders_and_siblings(pngs, idx, table):
    root, path = pngs("7/a.png", "7/b.png"), idx(x_labels_idx1_ubyte=THREE)
    assert labels_of(root, path, labels=table(f"path,label\n{root}/7/a.png,1\n")) == [1, -1, -1, -1, -1]


def test_our_own_predictions_file_can_be_the_labels_of_the_next_run(pngs, rows, tmp_path):
    root = pngs("7/a.png", "2/b.png")
    rows(root, out="own.csv")
    assert labels_of(root, labels=tmp_path / "own.csv") == [2, 7]


def test_an_idx_label_file_labels_the_one_idx_input(idx, table):
    assert labels_of(idx(), labels=table(THREE, "other.idx")) == [7, 2, 1]


def test_an_idx_label_file_wins_entirely(idx, pngs, table):
    path = idx(x_labels_idx1_ubyte=idx_bytes(np.array([0, 0, 0], np.uint8)))
    assert labels_of(path, pngs("7/a.png"), labels=table(THREE, "other.idx")) == [7, 2, 1, -1]


def test_an_idx_label_file_counts_as_labels(idx, table):
    inventory = discover([os.fspath(idx())])
    attach_labels(inventory, os.fspath(table(THREE, "other.idx")))
    assert inventory.labelled


def test_an_idx_label_file_without_an_idx_input_is_wrong_usage(pngs, table):
    path = table(THREE, "other.idx")
    assert refusal(pngs("a.png"), labels=path) == (
        f"--labels {path}: an IDX label file needs exactly one IDX INPUT; there are 0"
    )


def test_an_idx_label_file_with_two_idx_inputs_is_wrong_usage(idx, table):
    path = table(THREE, "other.idx")
    assert refusal(idx(), idx("y"), labels=path) == (
        f"--labels {path}: an IDX label file needs exactly one IDX INPUT; there are 2"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (idx_bytes(np.array([7, 2, 1, 0], np.uint8)), "it has 4 labels for 3 images"),
        (idx_bytes(np.array([7, 2, 10], np.uint8)), "label 10 at index 2; expected 0 to 9"),
        (THREE + b"\0", "the header says 3 labels, so 3 data bytes; there are more"),
    ],
)
def test_an_idx_label_file_that_does_not_fit_is_wrong_usage(idx, table, content, reason):
    path, images = table(content, "other.idx"), idx()
    assert refusal(images, labels=path) == (
        f"labels {path} do not fit {images}: {reason}; "
        "name another file with --labels FILE, or go without: --labels none"
    )


def test_images_given_as_labels_are_wrong_usage(idx):
    path = idx()
    assert "expected labels (type 0x08, 1 dimension)" in refusal(path, labels=path)


def test_a_missing_labels_file_is_wrong_usage(pngs, tmp_path):
    path = tmp_path / "gone.csv"
    assert refusal(pngs("a.png"), labels=path) == f"--labels {path}: cannot be read: No such file or directory"


def test_a_folder_as_labels_file_is_wrong_usage(pngs, tmp_path):
    assert refusal(pngs("a.png"), labels=tmp_path) == f"--labels {tmp_path}: cannot be read: Is a directory"


@pytest.mark.parametrize("content", ["", "a.png,7\n", "path;label\na.png;7\n", "Path,Label\n"])
def test_a_csv_file_without_the_two_columns_is_wrong_usage(pngs, table, content):
    path = table(content)
    assert refusal(pngs("a.png"), labels=path) == f"--labels {path}: expected a header with the columns path,label"


def test_a_path_that_is_no_input_is_wrong_usage(pngs, table):
    root = pngs("a.png")
    path = table(f"path,label\n{root}/a.png,7\n{root}/b.png,7\n")
    assert refusal(root, labels=path) == (
        f"--labels {path}, line 3: {root}/b.png is not among the inputs (paths as in the output)"
    )


def test_a_path_that_comes_twice_is_wrong_usage(pngs, table):
    root = pngs("a.png")
    path = table(f"path,label\n{root}/a.png,7\nin/a.png,7\n")
    assert refusal(root, labels=path) == f"--labels {path}, line 3: in/a.png has a label already"


@pytest.mark.parametrize("label", ["10", "-1", "", "seven", "7.0", " 7", "٣", "07"])
def test_a_label_outside_0_to_9_is_wrong_usage(pngs, table, label):
    root = pngs("a.png")
    path = table(f"path,label\n{root}/a.png,{label}\n")
    assert refusal(root, labels=path) == f"--labels {path}, line 2: label {label!r}; expected 0 to 9"


def test_a_line_without_a_label_is_wrong_usage(pngs, table):
    root = pngs("a.png")
    path = table(f"path,label\n{root}/a.png\n")
    assert refusal(root, labels=path) == f"--labels {path}, line 2: label None; expected 0 to 9"


def test_a_csv_file_with_an_open_quote_is_wrong_usage(pngs, table):
    path = table('path,label\n"in/a.png,7\n')
    assert refusal(pngs("a.png"), labels=path).startswith(f"--labels {path}: not a readable CSV file: ")


@settings(deadline=None, max_examples=150)
@given(
    st.one_of(
        st.binary(max_size=60),
        st.builds(lambda rest: b"path,label\n" + rest, st.binary(max_size=60)),
        st.builds(
            lambda rows: ("path,label\n" + "".join(f"{path},{label}\n" for path, label in rows)).encode(
                "utf-8", "surrogateescape"
            ),
            st.lists(
                st.tuples(
                    st.sampled_from(["a.png", "/pngs/00000.png", "\0", '"', ".."]), st.text("0179x\n", max_size=2)
                )
            ),
        ),
    )
)
def test_any_bytes_as_labels_are_labels_or_wrong_usage(tmp_path_factory, shared_files, content):
    path = tmp_path_factory.getbasetemp() / "property.csv"
    path.write_bytes(content)
    try:
        labels = labels_of(shared_files / "pngs" / "00000.png", labels=path)
    except UsageError as error:
        labels = [-1] if len(str(error).splitlines()) == 1 else [str(error)]
    assert labels in [[label] for label in range(-1, 10)]
