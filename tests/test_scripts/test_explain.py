"""The script that shows the steps of the normalization: every step is on the sheet; errors are one line."""

import sys

import numpy as np
import pytest
from PIL import Image
from support.helpers import save_png, script

from batch_infer.normalization.pipeline import normalize


@pytest.fixture
def explain():
    return script("explain")


@pytest.fixture
def call(explain, monkeypatch, capsys):
    """Run the script: its exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["explain.py", *map(str, arguments)])
        code = explain.main()
        return code, *capsys.readouterr()

    return run


def test_every_step_is_shown_and_the_last_is_what_the_model_sees(explain, few, tmp_path, classifier):
    path = save_png(tmp_path / "a.png", np.asarray(Image.fromarray(255 - few.images[1]).resize((112, 112))))
    steps, answer = explain.explain(path, classifier)
    assert steps[0].name == "decoded"
    assert steps[0].picture.shape == (112, 112)
    assert len(steps) > 3
    assert steps[-1].name == "what the model sees"
    np.testing.assert_array_equal(steps[-1].picture, normalize(np.asarray(Image.open(path))))
    digit, _, confidence = answer.partition(", confidence ")
    assert digit == str(few.labels[1])
    assert 0.5 < float(confidence) <= 1
    for step in steps:
        assert step.picture.ndim == 2
        assert step.picture.dtype in (np.uint8, np.bool_), step.name


def test_the_command_writes_a_png_and_says_the_answer(call, few, tmp_path):
    path = save_png(tmp_path / "a.png", np.asarray(Image.fromarray(255 - few.images[1]).resize((112, 112))))
    code, out, err = call(path, "--out", tmp_path / "steps.png")
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}: {few.labels[1]}, confidence ")
    assert Image.open(tmp_path / "steps.png").height > 168


def test_a_refusal_is_an_answer(call, tmp_path):
    path = save_png(tmp_path / "empty.png", np.full((90, 60), 200, np.uint8))
    code, out, err = call(path, "--out", tmp_path / "steps.png")
    assert (code, err) == (0, "")
    assert out.startswith(f"{path}: no_digit; ")


def test_a_file_that_cannot_be_read_is_one_line(call, tmp_path):
    (tmp_path / "a.png").write_bytes(b"broken")
    code, out, err = call(tmp_path / "a.png", "--out", tmp_path / "steps.png")
    assert (code, out) == (1, "")
    assert err.startswith(f"explain.py: {tmp_path / 'a.png'}: not_an_image (")
    assert err.count("\n") == 1
    assert call(tmp_path / "b.png") == (
        1,
        "",
        f"explain.py: {tmp_path / 'b.png'}: vanished (No such file or directory)\n",
    )
    assert not (tmp_path / "steps.png").exists()


def test_pictures_stand_side_by_side_in_rows_of_six(explain):
    half = np.zeros((20, 40), np.bool_)
    half[:, 20:] = True
    steps = [explain.Step(f"{number}", half) for number in range(7)]
    sheet = explain.lay_out(steps, "3, confidence 0.987654")
    gap, side = explain.GAP, explain.SIDE
    assert sheet.width == gap + 6 * (side + gap)
    assert sheet.height == 2 * (side + 4 * (explain.TEXT + 4) + gap)
    middle = gap + side // 4
    for cell in range(6):
        left = gap + cell * (side + gap)
        assert sheet.getpixel((left + side // 4, middle)) == (0, 0, 0)
        assert sheet.getpixel((left + side * 3 // 4, middle)) == (255, 255, 255)
    assert sheet.getpixel((gap + side * 3 // 4, sheet.height // 2 + middle)) == (255, 255, 255)
