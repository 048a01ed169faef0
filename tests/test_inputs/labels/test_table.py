"""Labels from a table that the user names, as people's programs write it, and everything that does not fit."""

import gzip
import unicodedata
from urllib.parse import unquote_to_bytes

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.labels import labels_of, refusal
from support.pictures import encoded
from support.tiff_files import tiff

from batch_infer.errors import UsageError
from batch_infer.inputs.arrays.idx import idx_bytes

THREE = idx_bytes(np.array([7, 2, 1], np.uint8))


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


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("", "there is no first line"),
        ("a.png,7\n", "the first line is: a.png,7"),
        ("filename;class\r\na.png;7\r\n", "the first line is: filename;class"),
        (" \n", "the first line is:  "),
        ("x" * 200, f"the first line is: {'x' * 100}…"),
        ("path label\na.png 7\n", "the first line is: path label"),
        ("{\x1b[31m", "the first line is: {%1B[31m"),
    ],
)
def test_a_table_without_the_two_columns_is_wrong_usage_and_shows_what_was_found(pngs, table, content, found):
    path = table(content)
    assert refusal(pngs("a.png"), labels=path) == (
        f"--labels {path}: expected a header with the columns path,label; {found}"
    )


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (b"PK\3\4xl/workbook.xml", "a workbook (.xlsx or .ods) or another ZIP file; save it as CSV UTF-8"),
        (b"PAR1\x15\x04", "a Parquet file; save it as CSV"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "a workbook (.xls); save it as CSV UTF-8"),
    ],
)
def test_another_kind_of_file_is_wrong_usage_and_named(pngs, table, content, found):
    path = table(content)
    assert refusal(pngs("a.png"), labels=path) == (
        f"--labels {path}: expected a CSV file with the columns path,label; found {found}"
    )


def test_two_columns_of_one_name_are_wrong_usage(pngs, table):
    path = table("path,label,Label\nin/a.png,7,8\n")
    assert refusal(pngs("a.png"), labels=path) == (f"--labels {path}: expected one column label; the header has 2")


def test_a_table_of_no_rows_is_a_notice(pngs, table):
    path, notices = table("path,label\n"), []
    assert labels_of(pngs("a.png"), labels=path, notices=notices) == [-1]
    assert notices == [f"--labels {path}: it has no rows, so there are no labels"]


def test_rows_for_no_input_are_counted_in_a_notice(pngs, table):
    root, notices = pngs("a.png"), []
    path = table(f"path,label\n{root}/a.png,7\n{root}/b.png,7\ngone.png,\n=1.png,3\n")
    assert labels_of(root, labels=path, notices=notices) == [7]
    assert notices == [f"--labels {path}: 2 of its labels are for no input, such as {root}/b.png in line 3"]


def test_a_table_with_rows_for_no_input_alone_is_wrong_usage(pngs, table):
    path = table("path,label\nother/a.png,7\nb.png,7\n")
    assert refusal(pngs("a.png"), labels=path) == (
        f"--labels {path}: none of its 2 labels is that of an input, such as other/a.png in line 2; "
        "write paths as in the output, or relative to the file"
    )


def test_a_table_whose_labels_are_all_empty_is_wrong_usage(pngs, rows, tmp_path):
    root = pngs("a.png", "b.png")
    rows(root, out="own.csv")
    assert refusal(root, labels=tmp_path / "own.csv") == (
        f"--labels {tmp_path}/own.csv: the column label is empty in all 2 rows; write the true digits there, "
        "and leave it empty only where they are unknown"
    )


def test_a_path_that_comes_twice_with_two_labels_is_wrong_usage(pngs, table):
    root = pngs("a.png")
    path = table(f"path,label\n{root}/a.png,7\nin/a.png,7\nin/a.png,1\n")
    assert refusal(root, labels=path) == f"--labels {path}, line 4: in/a.png has the label 7 already; found 1"


@pytest.mark.parametrize("label", ["10", "-1", "seven", "7.5", "7.01", "٣", "07", "7 8", "1e0"])
def test_a_label_outside_0_to_9_is_wrong_usage(pngs, table, label):
    root = pngs("a.png")
    path = table(f"path,label\n{root}/a.png,{label}\n")
    assert refusal(root, labels=path) == f"--labels {path}, line 2: label {label!r}; expected 0 to 9"


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("7.0", 7),
        (" 7", 7),
        ("7 ", 7),
        ("7.", 7),
        ('"7,0"', 7),
        ("", -1),
        ("NaN", -1),
        ("NA", -1),
        ("<NA>", -1),
        (" ", -1),
    ],
)
def test_a_label_as_programs_write_it_or_none(pngs, table, label, expected):
    root = pngs("a.png", "b.png")
    path = table(f"path,label\n{root}/a.png,{label}\n{root}/b.png,3\n")
    assert labels_of(root, labels=path) == [expected, 3]


def test_a_row_that_is_too_short_is_wrong_usage(pngs, table):
    root = pngs("a.png")
    path = table(f"path,label\n{root}/a.png\n")
    assert refusal(root, labels=path) == (
        f"--labels {path}, line 2: expected at least 2 cells, as in the header; found 1"
    )


TABLE = "path,label\nin/ä.png,3\nin/b.png,4\n"


@pytest.mark.parametrize(
    "content",
    {
        "UTF-8": TABLE.encode(),
        "Excel, CSV UTF-8": TABLE.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"),
        "Excel, CSV": TABLE.replace(",", ";").replace("\n", "\r\n").encode("cp1252"),
        "Excel, Unicode text": TABLE.replace(",", "\t").replace("\n", "\r\n").encode("utf-16"),
        "Excel of a Mac": TABLE.replace("\n", "\r").encode(),
        "an instruction to Excel": b"sep=;\r\n" + TABLE.replace(",", ";").encode(),
        "UTF-16, big-endian": TABLE.encode("utf-16-be"),
        "UTF-16, little-endian": TABLE.encode("utf-16-le"),
        "PowerShell": "\ufeff".encode("utf-16-le") + TABLE.encode("utf-16-le"),
        "pandas": b",path,label\n0,in/\xc3\xa4.png,3.0\n1,in/b.png,4.0\n2,in/c.png,\n",
        "all cells quoted": b'"path","label"\n"in/\xc3\xa4.png","3"\n"in/b.png","4"\n',
        "capitals and blanks": b" Path ,LABEL\nin/\xc3\xa4.png, 3\nin/b.png, 4\n",
        "rows of nothing": TABLE.encode() + b",\n,,\n\n",
        "gzip": gzip.compress(TABLE.encode(), mtime=0),
        "macOS decomposes": unicodedata.normalize("NFD", TABLE).encode(),
        "the column index of pandas' reset_index": b"index,path,label\n0,in/\xc3\xa4.png,3\n1,in/b.png,4\n",
    }.values(),
    ids=lambda content: str(content[:12]),
)
def test_a_table_is_read_as_programs_write_it(pngs, table, tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    pngs("ä.png", "b.png", "c.png")
    assert sorted(labels_of("in", labels=table(content))) == [-1, 3, 4]


@pytest.mark.parametrize(
    ("given", "written"),
    [
        ("in", "./in/a.png"),
        ("./in", "in/a.png"),
        ("in/", "in//a.png"),
        ("in", "other/../in/a.png"),
        ("in", "{here}/in/a.png"),
        ("{here}/in", "in/a.png"),
        ("in", "a.png"),  # a bare name, or a path below the INPUT
        ("in", "sub/c.png"),
        ("in", "c.png"),
        ("in", "in\\sub\\c.png"),
        ("in", " in/a.png "),
    ],
)
def test_a_path_may_be_written_in_many_ways(pngs, table, tmp_path, monkeypatch, given, written):
    monkeypatch.chdir(tmp_path)
    pngs("a.png", "b.png", "sub/c.png")
    path = table(f"path,label\n{written.format(here=tmp_path)},5\n", name="far/labels.csv")
    labels = labels_of(given.format(here=tmp_path), labels=path)
    assert labels == ([-1, -1, 5] if "c.png" in written else [5, -1, -1])


def test_of_two_names_that_differ_in_composition_alone_each_is_found(tree, table):
    nfc, nfd = "\xe4.png", "a\u0308.png"
    root = tree(f"in/{nfc}", f"in/{nfd}") / "in"
    assert labels_of(root, labels=table(f"path,label\nin/{nfc},1\nin/{nfd},2\n")) == [2, 1]


def test_a_bare_name_of_two_inputs_is_wrong_usage(pngs, table):
    root = pngs("x/a.png", "y/a.png")
    path = table("path,label\na.png,1\n")
    assert refusal(root, labels=path) == (
        f"--labels {path}, line 2: a.png may be {root}/x/a.png or {root}/y/a.png; write the path as in the output"
    )


def test_a_path_below_two_inputs_is_wrong_usage(pngs, table, tmp_path):
    pngs("s/a.png", folder="x")
    pngs("s/a.png", folder="y")
    path = table("path,label\ns/a.png,1\n")
    assert "s/a.png may be" in refusal(tmp_path / "x", tmp_path / "y", labels=path)


def test_labels_of_an_idx_file_are_matched_by_path_and_index(idx, table, pngs):
    images, root = idx(), pngs("a.png")
    path = table(f"path,index,label\n{images},2,7\n{images},0.0,1\nin/a.png,,4\n{images},1,\n")
    assert labels_of(images, root, labels=path) == [1, -1, 7, 4]


@pytest.mark.parametrize("name", ["a.npy", "a.npz", "a.npz::x", "a.csv", "a.parquet"])
def test_labels_of_arrays_and_tables_are_matched_by_path_and_index(few, tmp_path, table, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    images, file = few.images[:3], name.partition("::")[0]
    if file == "a.npy":
        np.save(file, images)
    elif file == "a.npz":
        np.savez(file, x=images)
    elif file == "a.csv":
        np.savetxt(
            file, images.reshape(3, 784), "%d", ",", header=",".join(f"pixel{i}" for i in range(784)), comments=""
        )
    else:
        pngs = [encoded(image) for image in images]
        pq.write_table(pa.table({"image": pa.array([{"bytes": png} for png in pngs])}), file)
    assert labels_of(name, labels=table(f"path,index,label\n{name},2,5\n{name},0,4\n")) == [4, -1, 5]


def test_our_own_rows_of_an_idx_file_are_labels_after_correction(idx, rows, tmp_path):
    images = idx()
    rows(images, out="own.csv")
    own = tmp_path / "own.csv"
    lines = own.read_text().splitlines()
    own.write_text("\n".join([lines[0], lines[1].replace(",0,,", ",0,7,"), *lines[2:]]))
    assert labels_of(images, labels=own) == [7, -1, -1]


def test_an_index_beyond_the_images_is_for_no_input(idx, table):
    images, notices = idx(), []
    path = table(f"path,index,label\n{images},2,7\n{images},3,7\n")
    assert labels_of(images, labels=path, notices=notices) == [-1, -1, 7]
    assert notices == [f"--labels {path}: 1 of its labels are for no input, such as {images}[3] in line 3"]


def test_a_row_of_an_idx_file_without_an_index_is_wrong_usage(idx, table):
    images = idx()
    path = table(f"path,label\n{images},7\n")
    assert refusal(images, labels=path) == (
        f"--labels {path}, line 2: {images} holds many images; expected a column index that says which (from 0)"
    )


def test_two_labels_of_one_image_of_an_idx_file_are_wrong_usage(idx, table):
    images = idx()
    path = table(f"path,index,label\n{images},1,7\n{images},1,8\n")
    assert refusal(images, labels=path) == (f"--labels {path}, line 3: {images}[1] has the label 7 already; found 8")


MIXED = """path,index,label
scans/three.tif,2,4
{here}/x-images-idx3-ubyte,1,2
./scans/sub/%3Da.png,,5
scans/three.tif,0,7
x-images-idx3-ubyte,0,7
scans/one.tif,,9
x-images-idx3-ubyte,0,7
scans/a.png,0,8
scans/three.tif,3,1
x-images-idx3-ubyte,7,1
scans/b.png,,1
"""


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text.encode(),
        lambda text: text.replace(",", ";").replace("\n", "\r\n").encode("utf-8-sig"),  # Excel
        lambda text: text.replace("2,4", "2.0,4.0").replace("0,7", "0.0,7.0").encode(),  # pandas, of a column with gaps
    ],
    ids=["plain", "Excel", "pandas"],
)
def test_a_table_with_an_index_labels_pages_arrays_and_files_together(
    few, idx, pngs, table, tmp_path, monkeypatch, written
):
    monkeypatch.chdir(tmp_path)
    images, notices = idx(), []
    pngs("a.png", "sub/=a.png", folder="scans")
    (tmp_path / "scans" / "one.tif").write_bytes(tiff(few.images[0]))
    (tmp_path / "scans" / "three.tif").write_bytes(tiff(*few.images[:3]))
    path = table(written(MIXED.format(here=tmp_path)))
    found = labels_of("./scans", images, labels=path, notices=notices)
    assert found == [8, 9, 5, 7, -1, 4, 7, 2, -1]
    assert notices == [f"--labels {path}: 3 of its labels are for no input, such as scans/three.tif[3] in line 10"]


def test_two_labels_of_one_page_are_wrong_usage(few, table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.tif").write_bytes(tiff(*few.images[:2]))
    path = table("path,index,label\na.tif,1,7\na.tif,0,7\na.tif,1,8\n")
    assert refusal("a.tif", labels=path) == f"--labels {path}, line 4: a.tif[1] has the label 7 already; found 8"


@pytest.mark.parametrize("name", ["x-images-idx3-ubyte", "a.tif"])
def test_an_index_that_is_no_number_is_wrong_usage_where_one_is_needed(few, idx, table, tmp_path, name):
    idx()
    (tmp_path / "a.tif").write_bytes(tiff(*few.images[:2]))
    path = table(f"path,index,label\n{name},first,7\n")
    assert refusal(tmp_path / name, labels=path).endswith("expected a column index that says which (from 0)")


def test_a_file_of_several_pages_may_be_named_without_its_folder(few, pngs, table):
    root = pngs("a.png")
    (root / "sub").mkdir()
    (root / "sub" / "b.tif").write_bytes(tiff(*few.images[:2]))
    assert labels_of(root, labels=table("path,index,label\nb.tif,1,7\na.png,,3\n")) == [3, -1, 7]


def test_our_own_rows_with_errors_and_escaped_names_are_labels_after_correction(pngs, rows, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    root = pngs("=a.png", "b\nc.png", "%41.png")
    (root / "broken.png").write_bytes(b"broken")
    rows("in", out="own.csv")
    own = tmp_path / "own.csv"
    own.write_text(own.read_text().replace(",,,", ",,5,", 4))
    assert labels_of("in", labels=own) == [5, 5, 5, 5]
    assert "%0A" in own.read_text()
    own.write_bytes(unquote_to_bytes(own.read_text()))
    assert '"in/%41.png"' in own.read_text()
    assert labels_of("in", labels=own) == [5, 5, 5, 5]


def test_a_damaged_gzip_table_is_wrong_usage(pngs, table):
    path = table(gzip.compress(TABLE.encode())[:-9])
    assert refusal(pngs("a.png"), labels=path).startswith(f"--labels {path}: ")


@pytest.mark.slow
def test_the_labels_of_many_files_take_little_memory(program):
    """400,000 rows; two tables of whole paths took 160 MB."""
    grown = int(program("watched.label_memory", "400000").stdout)
    assert grown < 60 << 20


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
        labels = labels_of(shared_files / "pngs" / "00000.png", labels=path, notices=[])
    except UsageError as error:
        labels = [-1] if len(str(error).splitlines()) == 1 else [str(error)]
    assert labels in [[label] for label in range(-1, 10)]
