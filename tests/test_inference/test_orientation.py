"""Images that are stored transposed, as EMNIST's, are found by the content and turned upright."""

import gzip
import json

import numpy as np
import pytest
from support.helpers import read_rows

from batch_infer.errors import UsageError
from batch_infer.inference.orientation import find_orientation, sample_of
from batch_infer.inputs.arrays.idx import IdxImages, idx_bytes
from batch_infer.job.run import run_job
from train.data import load_data

TURNED = (
    "{}: its images are stored transposed, as EMNIST's, and were turned upright; "
    "if that is wrong: --orientation upright"
)
DOUBTFUL = (
    "{}: its images may be stored transposed, as EMNIST's; they were not turned; if they are: --orientation transposed"
)


@pytest.fixture
def transposed(tmp_path, mnist):
    """Make an IDX file of transposed digits: which ones, and how it is packed."""

    def make(chosen, pack=bytes, name="turned"):
        (tmp_path / name).write_bytes(pack(idx_bytes(np.ascontiguousarray(mnist.images[chosen].transpose(0, 2, 1)))))
        return tmp_path / name

    return make


def notices(path):
    return json.loads(path.with_suffix(".run.json").read_text())["notices"]


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
@pytest.mark.parametrize("options", [{"workers": 1}, {"workers": 2, "incremental": True}])
def test_transposed_images_get_the_predictions_of_upright_ones(mnist, transposed, tmp_path, pack, options):
    turned = transposed(slice(0, 5000), pack)
    (tmp_path / "upright").write_bytes(idx_bytes(mnist.images[:5000]))
    for name in ("turned", "upright"):
        run_job([tmp_path / name], out=tmp_path / f"{name}.csv", **options)
    keep = lambda row: {**row, "path": ""}  # noqa: E731
    assert list(map(keep, read_rows(tmp_path / "turned.csv"))) == list(map(keep, read_rows(tmp_path / "upright.csv")))
    assert notices(tmp_path / "upright.csv") == []
    assert notices(tmp_path / "turned.csv") == [TURNED.format(turned)]


def test_a_run_with_the_other_orientation_does_not_reuse_results(transposed, tmp_path):
    path = transposed(slice(0, 300))
    for orientation in ("upright", "auto", "transposed"):
        run_job([path], out=tmp_path / f"{orientation}.csv", orientation=orientation, workers=1)
        run_job([path], out=tmp_path / "p.csv", orientation=orientation, workers=1, incremental=True)
        assert (tmp_path / "p.csv").read_bytes() == (tmp_path / f"{orientation}.csv").read_bytes()
    assert (tmp_path / "auto.csv").read_bytes() == (tmp_path / "transposed.csv").read_bytes()
    assert (tmp_path / "auto.csv").read_bytes() != (tmp_path / "upright.csv").read_bytes()


def test_few_images_stay_as_they_are_and_a_notice_says_how_they_look(transposed, tmp_path):
    path = transposed(slice(0, 20))
    run_job([path], out=tmp_path / "p.csv")
    assert notices(tmp_path / "p.csv") == [DOUBTFUL.format(path)]


def test_upright_images_of_any_one_class_stay_upright(mnist, classifier, tmp_path):
    for digit in range(10):
        images = mnist.images[mnist.labels == digit]
        for start in (0, 30, 60, 90):
            (tmp_path / "x").write_bytes(idx_bytes(images[start : start + 30]))
            assert not find_orientation(sample_of(IdxImages(str(tmp_path / "x"))), classifier, "auto").transposed


def test_an_unknown_orientation_is_refused(tmp_path):
    with pytest.raises(UsageError, match="--orientation left: expected auto, upright or transposed"):
        run_job([tmp_path], orientation="left")


def test_training_data_that_are_stored_transposed_are_turned(small_mnist, tmp_path):
    upright = load_data(str(small_mnist))
    for file in small_mnist.iterdir():
        content = file.read_bytes()
        if "images" in file.name:
            content = idx_bytes(np.ascontiguousarray(IdxImages(str(file)).read_all().transpose(0, 2, 1)))
        (tmp_path / file.name).write_bytes(content)
    turned = load_data(str(tmp_path))
    for split in ("train", "test"):
        np.testing.assert_array_equal(getattr(turned, split).images, getattr(upright, split).images)
