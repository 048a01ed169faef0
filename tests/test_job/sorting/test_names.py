"""Names in a folder of --sort-into: the own one; with a hash where that is taken; plain where it is impossible."""

import itertools
import os

import pytest

from batch_infer.job.sorting.names import candidates, picture_name


def first(count, name, path="/in/a.png", position=-1):
    return list(itertools.islice(candidates(name, path, position), count))


def test_a_name_is_kept_and_then_gets_a_hash_of_where_the_picture_is():
    assert first(5, "a.png", "/x/a.png") == [
        "a.png",
        "a-1d7348a4.png",
        "1d7348a4ccbcc2bb82f9d723c3d0f9a7.png",
        "1d7348a4ccbcc2bb82f9d723c3d0f9a7-2.png",
        "1d7348a4ccbcc2bb82f9d723c3d0f9a7-3.png",
    ]
    assert first(2, "a.png", "/y/a.png")[1] != first(2, "a.png", "/x/a.png")[1]
    assert first(2, "a.png", position=1)[1] != first(2, "a.png", position=2)[1]


@pytest.mark.parametrize(
    ("path", "position", "name"),
    [
        ("in/t10k-images-idx3-ubyte.gz", 7, "t10k-images-idx3-ubyte.gz-000007.png"),
        ("mnist.npz::x_test", 1_234_567, "mnist.npz-x_test-1234567.png"),
        ("scan.tif", 0, "scan.tif-000000.png"),
        ("ä" * 127, 3, "ä" * 100 + "-000003.png"),
    ],
)
def test_an_image_in_a_file_is_named_by_file_and_index(path, position, name):
    assert picture_name(path, position) == name


@pytest.mark.parametrize("name", ["x" * 255, "x" * 251 + ".png", "ä" * 127, "a." + "x" * 250, "\udcff" * 255])
def test_no_name_is_longer_than_file_systems_allow(tmp_path, name):
    for one in first(4, name):
        assert len(os.fsencode(one)) <= 255
        (tmp_path / one).touch()


def test_the_third_name_is_plain_whatever_the_first_is():
    for name in ["a\n.p\tng", "=1.png", "a.", ".png", "x:y.jpg", "\udcff.\udcff"]:
        stem, _, suffix = first(3, name)[2].partition(".")
        assert len(stem) == 32
        assert suffix in {"", "png", "jpg"}
