"""The benchmark: the models behind torchvision's loop, and the rows of its lean section. Nothing is timed."""

import argparse
import sys

import numpy as np
import pandas as pd
import pytest
from support.helpers import ROOT, save_png, script

torch = pytest.importorskip("torch", reason="the peers are its models")


@pytest.fixture(scope="module", autouse=True)
def beside_each_other():
    """The modules of scripts/benchmarks/ import each other by their names alone."""
    sys.path.append(str(ROOT / "scripts" / "benchmarks"))
    yield
    sys.path.remove(str(ROOT / "scripts" / "benchmarks"))


@pytest.fixture
def predictions(few, tmp_path):
    """Run the peer `torchvision` on twenty PNGs: its predictions and confidences."""
    for number, image in enumerate(few.images[:20]):
        save_png(tmp_path / "in" / str(few.labels[number]) / f"{number:02}.png", image)
    from train.model.softmax import SoftmaxRegression

    torch.save(SoftmaxRegression("pixels", seed=3).state_dict(), tmp_path / "pixels.pth")

    def run(recipe: str, *, weights: bool = True) -> pd.DataFrame:
        options = argparse.Namespace(input=str(tmp_path / "in"), output=str(tmp_path / "out.csv"), recipe=recipe)
        options.weights = str(tmp_path / "pixels.pth") if weights else None
        options.workers, options.resize = 0, False
        script("benchmarks/peers").torchvision(options)
        return pd.read_csv(tmp_path / "out.csv")

    return run


def test_the_matrix_is_the_pixel_model(predictions):
    found, expected = predictions("matrix"), predictions("pixels")
    assert len(found) == 20
    assert found["prediction"].tolist() == expected["prediction"].tolist()
    assert (found["confidence"] - expected["confidence"]).abs().max() < 1e-5


def test_the_convolutional_net_needs_no_weights_and_answers_alike_each_time(predictions):
    found = predictions("convolutional", weights=False)
    pd.testing.assert_frame_equal(found, predictions("convolutional", weights=False))
    assert ((found["confidence"] > 0.1) & (found["confidence"] <= 1)).all()


def test_the_convolutional_net_is_that_of_the_paper():
    net = script("benchmarks/nets").ConvolutionalNet()
    weights = [tuple(part.shape) for part in net.parameters() if part.ndim > 1]
    assert weights == [(5, 1, 5, 5), (50, 5, 5, 5), (100, 1250), (10, 100)]
    assert net(torch.from_numpy(np.zeros((3, 28, 28), np.uint8))).shape == (3, 10)


def test_the_lean_section_compares_both_models_with_the_best_of_each_loop(monkeypatch, tmp_path):
    benchmark, harness = script("benchmarks/benchmark"), script("benchmarks/harness")
    folder = tmp_path / "png-7000"
    save_png(folder / "0" / "0.png", np.zeros((28, 28), np.uint8))
    bench = harness.Bench(tmp_path, quick=True)
    weights = harness.Weights(tmp_path / "m.onnx", tmp_path / "m.pth", tmp_path / "m.npz")
    monkeypatch.setattr(bench, "models", lambda: {"strokes": weights, "pixels": weights})
    lines = {}

    def compare(given, *, check):
        assert not check  # other models, other predictions
        lines.update(given)
        seconds = {"default": 2.0, "strokes": 1.0, "matrix, 1 workers": 6.0, "convolutional, 2 workers": 20.0}
        return {name: seconds.get(name, 30.0) for name in given}

    monkeypatch.setattr(bench, "compare", compare)
    benchmark.lean(bench)
    assert len(lines) == 9
    assert "--no-report" not in lines["reports"]
    assert all("--no-report" in lines[name] for name in ("default", "strokes"))
    assert "--model" in lines["strokes"]
    assert "--model" not in lines["default"]
    assert bench.table().splitlines()[2:] == [
        "| 1 PNGs, the default model | 2.00 s | torchvision with `Linear(784, 10)`, 1 workers: 6.00 s | 3.0× | ≥ 5× |",
        "| 1 PNGs, the default model | 2.00 s | torchvision with a convolutional net, 2 workers: 20.00 s | 10.0× |  |",
        "| 1 PNGs, `strokes` | 1.00 s | torchvision with `Linear(784, 10)`, 1 workers: 6.00 s | 6.0× | ≥ 6×, aim 6.5 |",
        "| 1 PNGs, `strokes` | 1.00 s | torchvision with a convolutional net, 2 workers: 20.00 s | 20.0× |  |",
        "| the reports of these, pictures included | 28.00 s more |  |  |  |",
    ]
