"""Fixtures of the promises: files for two workers; another user, and a folder that all users reach."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from support.helpers import ROOT, Finished, argument, save_png, support_environment, support_program

from batch_infer.classifier import BUNDLED_MODEL
from batch_infer.inputs.arrays.idx import idx_bytes


@pytest.fixture
def many(mnist, tmp_path):
    """3,000 labelled images in an IDX file, enough for two workers, and a folder with a broken picture."""
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "x-images-idx3-ubyte").write_bytes(idx_bytes(mnist.images[:3_000]))
    (tmp_path / "in" / "x-labels-idx1-ubyte").write_bytes(idx_bytes(mnist.labels[:3_000]))
    save_png(tmp_path / "in" / "pictures" / "a.png", np.pad(mnist.images[0], 20))
    (tmp_path / "out").mkdir()
    return [tmp_path / "in" / "x-images-idx3-ubyte", tmp_path / "in" / "pictures"]


@pytest.fixture
def common(few):
    """A folder that every user may enter (pytest's own are for one), with two pictures and the model."""
    with tempfile.TemporaryDirectory(prefix="batch-infer-test-") as folder:
        path = Path(folder)
        path.chmod(0o755)
        for number in range(2):
            save_png(path / "in" / f"{number}.png", few.images[number])
        shutil.copyfile(BUNDLED_MODEL, path / "model.onnx")
        yield path


@pytest.fixture
def as_user(common) -> Callable[..., Finished]:
    """Run batch-infer with the model of `common` as another user."""
    if os.geteuid() != 0:
        pytest.skip("only root becomes another user")

    def call(*arguments, user=54321, groups="54321", umask="022") -> Finished:
        command = [*support_program("limits.as_user"), str(user), groups, umask, *map(argument, arguments)]
        environment = support_environment(BATCH_INFER_MODEL=f"{common}/model.onnx")
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, timeout=120, check=False)
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return call
