"""The strokes recipe: features against a slow plain reference, resuming, and what a default run must reach."""

import csv
import json
import math
import os
import subprocess
import sys
import time

import numpy as np
import onnx
import pytest
import torch
from support.helpers import NICE
from support.made_once import made_once

from export.parity import edge_images
from train.data import load_data
from train.model.features import Strokes
from train.run_folder import load_run

pytestmark = pytest.mark.slow  # trains, exports or starts many processes: not for --quick


def deskew_reference(image):
    """Center and deskew (28, 28) gray levels in loops, float64 → (28, 28) in 0 … 1.

    Every source row is shifted sideways by the shear, between two pixels of it; then the image is moved up or down,
    between two rows.
    """
    ink = 1.0 + image.sum()  # one gray level more: a blank image has a center, too
    mean = dict.fromkeys(("x", "y", "xy", "yy"), 0.0)
    for row in range(28):
        for column in range(28):
            x, y, weight = column - 14, row - 14, image[row, column] / ink
            for name, value in (("x", x), ("y", y), ("xy", x * y), ("yy", y * y)):
                mean[name] += weight * value
    shear = (mean["xy"] - mean["x"] * mean["y"]) / (mean["yy"] - mean["y"] ** 2 + 0.5)
    shear = min(max(shear, -1.0), 1.0)

    def gray(row, column):
        return image[row, column] / 255 if 0 <= row < 28 and 0 <= column < 28 else 0.0

    def across(row, column):
        """Grey level in a source row, at what goes to that column."""
        source = column + mean["x"] + 0.5 + shear * (row - 14 - mean["y"])
        left = math.floor(source)
        return gray(row, left) * (1 - source + left) + gray(row, left + 1) * (source - left)

    result = np.zeros((28, 28))
    for row in range(28):
        source = row + mean["y"] + 0.5
        first = math.floor(source)
        for column in range(28):
            result[row, column] = across(first, column) * (1 - source + first)
            result[row, column] += across(first + 1, column) * (source - first)
    return result


def gaussians(cells, inputs, span, blur):
    """One Gaussian window a cell over a line → (cells, inputs), rows sum to one."""
    windows = []
    for cell in range(cells):
        center = (inputs - 1) / 2 + (cell + 0.5 - cells / 2) * span / cells
        window = [math.exp(-((place - center) ** 2) / (2 * blur**2)) for place in range(inputs)]
        windows.append([value / sum(window) for value in window])
    return torch.tensor(windows, dtype=torch.float64)


def pooled(maps, down, across):
    """Weigh maps (D, R, C) with the outer product of two windows, cell by cell → (D, r, c)."""
    result = torch.empty(len(maps), len(down), len(across), dtype=torch.float64)
    for row, vertical in enumerate(down):
        for column, horizontal in enumerate(across):
            kernel = torch.outer(vertical, horizontal).expand(1, 1, -1, -1)
            result[:, row, column] = torch.nn.functional.conv2d(maps.unsqueeze(1), kernel).flatten()
    return result


def unit_cells(maps, epsilon):
    """Divide each cell's values by their length over all maps (D, r, c)."""
    result = torch.empty_like(maps)
    for row in range(maps.shape[1]):
        for column in range(maps.shape[2]):
            cell = maps[:, row, column]
            result[:, row, column] = cell / math.sqrt(float(cell @ cell) + epsilon**2)
    return result


def strokes_reference(image):
    """The features of one image (28, 28) uint8 → (1192,) float64."""
    deskewed = torch.from_numpy(deskew_reference(image.astype(np.float64)))
    right = torch.tensor([[0, 0, 0], [-1, 0, 1], [0, 0, 0]], dtype=torch.float64)
    angles = [direction * math.pi / 4 for direction in range(8)]
    kernels = torch.stack([math.cos(angle) * right + math.sin(angle) * right.T for angle in angles])
    gradients = torch.nn.functional.conv2d(deskewed.view(1, 1, 28, 28), kernels.unsqueeze(1))[0]  # (8, 26, 26)
    window = gaussians(12, 26, 24, 1.2)
    fine = pooled(gradients.clamp(min=0), window, window)
    window = gaussians(7, 12, 11.5, 1.0)
    directions = unit_cells(pooled(fine, window, window), 0.02)

    fine, window = unit_cells(fine, 0.05), gaussians(5, 12, 11.0, 1.3)
    inner, changes = window[:, 1:-1], []
    for sign in (1, -1):
        sideways = torch.stack([sign * (fine[:, :, place + 1] - fine[:, :, place - 1]) for place in range(1, 11)], 2)
        changes.append(pooled(sideways.clamp(min=1e-4), window, inner))
    for sign in (1, -1):
        down = torch.stack([sign * (fine[:, place + 1] - fine[:, place - 1]) for place in range(1, 11)], 1)
        changes.append(pooled(down.clamp(min=1e-4), inner, window))
    turns = unit_cells(torch.cat(changes), 0.02)
    return (torch.cat([directions.flatten(), turns.flatten()]) + 1e-3).sqrt() - 0.35


def test_features_are_those_of_the_slow_reference():
    images = load_data().train.images[:20]
    found = Strokes()(torch.from_numpy(images)).double()
    expected = torch.stack([strokes_reference(image) for image in images])
    assert tuple(found.shape) == (20, 1192)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("number", range(12))
def test_features_of_edge_images_are_those_of_the_slow_reference(number):
    """Blank, full, one pixel, one line: where cells are nearly blank, rounding must not be blown up."""
    image = edge_images()[number]
    found = Strokes()(torch.from_numpy(image).unsqueeze(0)).double()[0]
    torch.testing.assert_close(found, strokes_reference(image), rtol=0, atol=1e-4)


def test_features_of_edge_images_are_finite_and_within_their_range():
    features = Strokes()(torch.from_numpy(edge_images()))
    assert features.isfinite().all()
    assert features.min() >= math.sqrt(1e-3) - 0.35 - 1e-6
    assert features.max() <= math.sqrt(1 + 1e-3) - 0.35 + 1e-6


def test_one_gray_level_in_one_pixel_moves_features_little():
    images = torch.from_numpy(load_data().train.images[:50].copy())
    changed = images.clone()
    changed[:, 14, 14] = torch.where(images[:, 14, 14] < 255, images[:, 14, 14] + 1, 254)
    assert (Strokes()(images) - Strokes()(changed)).abs().max() < 0.05


def test_features_tell_the_orientation_of_a_stroke():
    image = torch.zeros(2, 28, 28, dtype=torch.uint8)
    image[0, 13:15, 4:24], image[1, 4:24, 13:15] = 255, 255  # lying, standing
    maps = Strokes()(image)[:, : 8 * 49].view(2, 8, 7, 7)[:, :, 3, 3]  # the middle cell's eight directions
    assert maps[0].topk(2).indices.sort().values.tolist() == [2, 6]  # gradients down and up
    assert maps[1].topk(2).indices.sort().values.tolist() == [0, 4]  # gradients right and left


# --- the command ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("augment_option", ["--no-augment", "--augment"])
def test_resuming_a_killed_run_gives_the_weights_of_an_uninterrupted_one(
    preloaded, small_mnist, tmp_path, augment_option
):
    settings = ("run", "--data", small_mnist, "--validation-size", 500, "--epochs", 4, augment_option)
    result = preloaded.call("train", *settings, "--out", "whole", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    process = preloaded.start("train", *settings, "--out", "killed", cwd=tmp_path, nice=NICE)
    while not (tmp_path / "killed/last.pt").exists():
        assert process.poll() is None
        time.sleep(0.001)
    process.kill()
    assert not (tmp_path / "killed/metrics.json").exists()
    result = preloaded.call("train", "run", "--resume", "--out", "killed", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    whole, resumed = (load_run(tmp_path / name).state_dict() for name in ("whole", "killed"))
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)
    metrics = [json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("whole", "killed")]
    assert metrics[0] == metrics[1]
    assert metrics[0]["temperature"] > 0
    assert len(list(csv.DictReader((tmp_path / "killed/history.csv").open()))) == 4


@pytest.fixture(scope="session")
def default_run(tmp_path_factory):
    """A run with all defaults, started as users do."""

    def make(folder):
        command = [sys.executable, "-m", "train", "run"]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        assert result.returncode == 0, result.stderr

    return made_once(tmp_path_factory, "default-run", make)


@pytest.mark.long
def test_a_default_run_is_accurate_and_calibrated(default_run):
    metrics = json.loads((default_run / "runs/latest/metrics.json").read_text())
    config = json.loads((default_run / "runs/latest/config.json").read_text())
    assert config["recipe"] == "strokes"
    assert metrics["test_images"] == 10_000
    assert 1 - metrics["test_accuracy"] <= 0.0065
    assert metrics["test_calibration_error"] <= 0.002
    assert 0.5 < metrics["temperature"] < 2


@pytest.mark.long
def test_a_default_run_is_exported_small_and_standard(default_run, preloaded, tmp_path):
    os.symlink(default_run / "runs", tmp_path / "runs")
    result = preloaded.call("export", "onnx", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert os.path.getsize(tmp_path / "model.onnx") <= 150_000
    model = onnx.load(tmp_path / "model.onnx")
    assert [(item.domain, item.version) for item in model.opset_import] == [("", 18)]
    assert {node.domain for node in model.graph.node} == {""}
    assert not model.functions
