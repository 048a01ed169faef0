"""Labelled pictures as images in MNIST's format: all kinds of inputs, by one process and by several."""

import numpy as np
import pytest
from support.helpers import save_png

from batch_infer.errors import UsageError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.job import labelled
from batch_infer.job.labelled import read_labelled


@pytest.fixture
def inputs(few, labelled, tmp_path):
    """An IDX file with labels, and a folder of pictures in folders 0 to 9, one of them broken."""
    for number, image in enumerate(few.images[:40]):
        save_png(tmp_path / "own" / str(number % 10) / f"{number:02}.png", 255 - image)
    (tmp_path / "own" / "3" / "broken.png").write_bytes(b"broken")
    return [str(labelled), str(tmp_path / "own")]


def test_images_and_labels_are_those_of_the_inputs(inputs, few):
    found = read_labelled(inputs)
    assert found.images.shape == (340, 28, 28)
    np.testing.assert_array_equal(found.images[:300], few.images)
    np.testing.assert_array_equal(found.labels[:300], few.labels)
    assert sorted(map(bytes, found.images[300:])) == sorted(map(bytes, few.images[:40]))
    np.testing.assert_array_equal(found.labels[300:], np.repeat(np.arange(10), 4))
    assert [(path.rpartition("/")[2], code) for path, code, _ in found.errors] == [("broken.png", "not_an_image")]
    assert (found.unlabelled, found.notices) == (0, [])


def test_several_processes_give_what_one_gives(inputs, monkeypatch):
    alone = read_labelled(inputs)
    monkeypatch.setattr(labelled, "_SMALL_JOB", 1)
    monkeypatch.setattr(labelled, "usable_cpus", lambda: 2)
    together = read_labelled(inputs)
    np.testing.assert_array_equal(alone.images, together.images)
    np.testing.assert_array_equal(alone.labels, together.labels)
    assert alone[2:] == together[2:]


def test_pictures_without_labels_are_counted_and_not_opened(pngs):
    folder = pngs("a.png", "b.png")
    (folder / "broken.png").write_bytes(b"broken")
    found = read_labelled([str(folder)])
    assert (len(found.images), found.unlabelled, found.errors) == (0, 3, [])


def test_idx_files_in_a_folder_are_named(few, pngs):
    folder = pngs("a.png")
    (folder / "x-images-idx3-ubyte").write_bytes(idx_bytes(few.images))
    (notice,) = read_labelled([str(folder)]).notices
    assert notice == (
        "an IDX file in a folder is not read; to classify the images of one, name it as an INPUT: "
        f"{folder}/x-images-idx3-ubyte"
    )


def test_damaged_files_of_many_images_are_errors(tmp_path, few, inputs):
    damaged = tmp_path / "damaged.idx"
    damaged.write_bytes(idx_bytes(few.images)[:-1])
    found = read_labelled([*inputs, str(damaged)])
    assert [code for _, code, _ in found.errors] == ["not_an_image", "damaged_idx"]


def test_labels_that_do_not_fit_are_refused(inputs, tmp_path):
    (tmp_path / "labels.csv").write_text("path,label\nnowhere.png,3\n")
    with pytest.raises(UsageError, match="none of its 1 labels is that of an input"):
        read_labelled(inputs, str(tmp_path / "labels.csv"))
