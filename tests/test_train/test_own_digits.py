"""One's own labelled pictures: read like those of the batch job, and divided by their content."""

import numpy as np
import pytest
from support.helpers import save_png

from batch_infer.errors import UsageError
from batch_infer.inputs.arrays.idx import idx_bytes
from batch_infer.job.run import run_job
from train.own_digits import digests_of, read_own_digits, require_enough

COUNT = 60


@pytest.fixture
def digits(mnist):
    return mnist.images[1000 : 1000 + COUNT], mnist.labels[1000 : 1000 + COUNT]


@pytest.fixture
def folders(digits, tmp_path):
    """The pictures as dark ink on white paper, in folders 0 to 9."""
    for number, (image, label) in enumerate(zip(*digits, strict=True)):
        save_png(tmp_path / "own" / str(label) / f"{number:03}.png", 255 - image)
    return tmp_path / "own"


def refusal(*paths, labels=None, option="--add"):
    with pytest.raises(UsageError) as caught:
        read_own_digits(list(map(str, paths)), labels, option)
    return str(caught.value)


def test_folders_an_idx_pair_an_array_and_a_table_are_the_same_digits(digits, folders, tmp_path):
    images, labels = digits
    (tmp_path / "x-images-idx3-ubyte").write_bytes(idx_bytes(images))
    (tmp_path / "x-labels-idx1-ubyte").write_bytes(idx_bytes(labels))
    np.savez(tmp_path / "x.npz", images=images, labels=labels)
    header = ",".join(["label", *(f"pixel{number}" for number in range(784))])
    rows = np.column_stack([labels, images.reshape(COUNT, -1)])
    np.savetxt(tmp_path / "x.csv", rows, "%d", ",", header=header, comments="")
    kinds = [folders, *(tmp_path / name for name in ("x-images-idx3-ubyte", "x.npz", "x.csv"))]
    found = [read_own_digits([str(path)], None, "--add") for path in kinds]
    assert {own.sha256 for own in found} == {found[0].sha256}
    assert [own.messages for own in found] == [()] * 4
    assert len(found[0]) == COUNT
    np.testing.assert_array_equal(found[0].count_by_class(), np.bincount(labels, minlength=10))
    np.testing.assert_array_equal(sorted(map(bytes, found[0].digests)), sorted(map(bytes, digests_of(images))))


def test_labels_by_path_and_index_label_some_images_of_a_file(digits, tmp_path):
    path = tmp_path / "scans.npy"
    np.save(path, digits[0])
    labels = tmp_path / "labels.csv"
    labels.write_text("path,index,label\n" + "".join(f"{path},{index},{index % 10}\n" for index in (3, 14, 15)))
    own = read_own_digits([str(path)], str(labels), "--add")
    assert sorted(zip(map(bytes, own.images), own.labels.tolist(), strict=True)) == sorted(
        (bytes(digits[0][index]), index % 10) for index in (3, 14, 15)
    )
    assert own.messages == (f"--add {path}: 57 pictures are left out, without a label",)
    assert own.left_out == {"no_label": 57}


def test_what_cannot_be_used_is_counted_and_named(folders):
    (folders / "3" / "broken.png").write_bytes(b"broken")
    save_png(folders / "4" / "empty.png", np.full((40, 40), 255, np.uint8))
    own = read_own_digits([str(folders)], None, "--add")
    assert len(own) == COUNT
    named = f"{folders}/3/broken.png (not_an_image), {folders}/4/empty.png (no_digit)"
    assert own.messages == (f"--add {folders}: 2 pictures are left out, as they cannot be used: {named}",)
    assert own.left_out == {"not_an_image": 1, "no_digit": 1}


def test_a_picture_with_two_labels_is_left_out(folders, digits):
    save_png(folders / str((digits[1][0] + 1) % 10) / "again.png", digits[0][0])
    own = read_own_digits([str(folders)], None, "--add")
    assert len(own) == COUNT - 1
    assert own.messages == (f"--add {folders}: 2 pictures are left out, as the same picture has another label, too",)


def test_equal_pictures_are_in_the_same_part_whatever_their_names(folders, digits, tmp_path):
    for number, (image, label) in enumerate(zip(*digits, strict=True)):
        save_png(tmp_path / "more" / str(label) / f"{COUNT - number}.png", image)
    own = read_own_digits([str(folders), str(tmp_path / "more")], None, "--add")
    assert len(own) == 2 * COUNT
    for values in (own.digests, own.parts, own.folds, own.labels):
        np.testing.assert_array_equal(values[::2], values[1::2])
    alone = read_own_digits([str(folders)], None, "--add")
    np.testing.assert_array_equal(alone.parts, own.parts[::2])


def test_parts_and_folds_are_as_large_as_they_say(mnist, tmp_path):
    np.savez(tmp_path / "x.npz", images=mnist.images, labels=mnist.labels)  # more than one process reads
    own = read_own_digits([str(tmp_path / "x.npz")], None, "--add")
    assert np.abs(np.bincount(own.parts, minlength=20) - 500).max() < 100
    assert np.abs(np.bincount(own.folds, minlength=5) - 2000).max() < 200
    assert np.abs(np.bincount(own.folds[own.parts < 4], minlength=5) - 400).max() < 100


def test_nothing_to_learn_from_is_one_line(pngs, tmp_path):
    folder = pngs("a.png", "b.png")
    assert refusal(folder) == (
        f"--add {folder}: no labelled picture to learn from (left out: 2 no_label); expected pictures in folders "
        "0 to 9, or a table of labels: --add-labels FILE"
    )
    assert refusal(tmp_path / "none") == f"{tmp_path}/none: no such file or folder; check --add"
    (tmp_path / "labels.csv").write_text("name,digit\n")
    assert refusal(folder, labels=str(tmp_path / "labels.csv")).startswith(
        f"--add-labels {tmp_path}/labels.csv: expected a header with the columns path,label"
    )


def test_predictions_are_no_labels(folders, tmp_path):
    run_job([folders], out=tmp_path / "preds.csv", sort_into=tmp_path / "sorted", workers=1)
    assert refusal(tmp_path / "sorted") == (
        f"{tmp_path}/sorted: the folders 0 to 9 of {tmp_path}/sorted were made by --sort-into; they hold predictions, "
        "no labels; give the true ones in a file (columns path,index,label)"
    )


def test_too_few_to_train_on_alone_are_counted(folders, digits):
    own = read_own_digits([str(folders)], None, "--data")
    with pytest.raises(UsageError) as caught:
        require_enough(own, "--data own")
    counts = ", ".join(f"{count} of {digit}" for digit, count in enumerate(np.bincount(digits[1]).tolist()))
    assert str(caught.value) == (
        f"--data own: too few pictures to train on these alone: {counts}; expected at least 20 of each digit; to train "
        "on MNIST and these: --add"
    )
