"""Peers for scripts/benchmarks/benchmark.py: the usual ways to do the same work, each written well.

Every peer is a process of its own, from command to file on disk, and writes `prediction` and `confidence` per row:

    python scripts/benchmarks/peers.py torchvision FOLDER OUT --weights strokes.pth --recipe strokes --workers 2
"""

import argparse
import os
import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

BATCH = 256
ROWS = 4096  # images of an IDX file at a time
SIDE = 28  # px
MATRIX, CONVOLUTIONAL = "matrix", "convolutional"  # in place of a recipe: the models of nets.py
HEADER = 16  # bytes before the pixels of an IDX image file


def torchvision(options: argparse.Namespace) -> None:
    """ImageFolder and DataLoader, the model in PyTorch: what most people would write for a folder."""
    import pandas as pd
    import torch
    from torch.utils.data import DataLoader
    from torchvision.datasets import ImageFolder
    from torchvision.transforms import v2

    model = _torch_model(options)
    resize = [v2.Resize((SIDE, SIDE))] if options.resize else []
    transform = v2.Compose([v2.Grayscale(), *resize, v2.PILToTensor()])
    loader = DataLoader(ImageFolder(options.input, transform), batch_size=BATCH, num_workers=options.workers)
    found = []
    with torch.inference_mode():
        for images, _ in loader:
            found.append(model(images[:, 0]).softmax(1).max(1))
    confidence, prediction = (torch.cat([batch[part] for batch in found]).numpy() for part in (0, 1))
    paths = [path for path, _ in loader.dataset.samples]  # type: ignore[attr-defined]
    pd.DataFrame({"path": paths, "prediction": prediction, "confidence": confidence.round(6)}).to_csv(
        options.output, index=False
    )


def loop(options: argparse.Namespace) -> None:
    """Pillow, ONNX Runtime and pandas in one loop: what tutorials show, in batches."""
    import onnxruntime
    import pandas as pd
    from PIL import Image

    session = onnxruntime.InferenceSession(options.weights, providers=["CPUExecutionProvider"])
    paths = sorted(str(path) for path in Path(options.input).rglob("*.png"))
    found = []
    for start in range(0, len(paths), BATCH):
        images = np.stack([np.asarray(Image.open(path).convert("L")) for path in paths[start : start + BATCH]])
        found.append(session.run(["probabilities"], {"images": images})[0])
    probabilities = np.concatenate(found)
    table = {"path": paths, "prediction": probabilities.argmax(1), "confidence": probabilities.max(1).round(6)}
    pd.DataFrame(table).to_csv(options.output, index=False)


def numpy(options: argparse.Namespace) -> None:
    """A memory-mapped IDX file, two lines of numpy, pandas' to_csv; the pixel model alone."""
    weight, bias = _pixel_weights(options)
    scaled = np.ascontiguousarray(weight.T) / np.float32(255)

    def probabilities(images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        logits = images.astype(np.float32) @ scaled + bias
        exponentials = np.exp(logits - logits.max(1, keepdims=True))
        return exponentials / exponentials.sum(1, keepdims=True)

    _score_idx(options, probabilities)


def sklearn(options: argparse.Namespace) -> None:
    """scikit-learn's predict_proba on a memory-mapped IDX file, pandas' to_csv; the pixel model alone."""
    from sklearn.linear_model import LogisticRegression

    estimator = LogisticRegression()
    estimator.coef_, estimator.intercept_ = _pixel_weights(options)
    estimator.classes_ = np.arange(10)
    _score_idx(options, lambda images: estimator.predict_proba(images.astype(np.float32) / np.float32(255)))


def train_dataloader(options: argparse.Namespace) -> None:
    """The usual training loop: torchvision's MNIST, ToTensor, DataLoader, SGD; prints the seconds of each epoch."""
    import torch
    from torch import nn
    from torch.utils.data import DataLoader
    from torchvision.datasets import MNIST
    from torchvision.transforms import ToTensor

    loader = DataLoader(MNIST(options.input, transform=ToTensor()), batch_size=128, shuffle=True)
    model = nn.Sequential(nn.Flatten(), nn.Linear(784, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001, momentum=0.99)
    for _ in range(options.epochs):
        started = time.perf_counter()
        for images, labels in loader:
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(images), labels).backward()
            optimizer.step()
        print(time.perf_counter() - started, flush=True)


def train_sklearn(_: argparse.Namespace) -> None:
    """scikit-learn's lbfgs; prints the seconds of the shortest fit that reaches 92 % on the validation split."""
    import torch
    from sklearn.linear_model import LogisticRegression

    from train.data import load_data

    split = load_data().train
    order = torch.randperm(len(split.labels), generator=torch.Generator().manual_seed(0)).numpy()  # as `train run`
    pixels = split.images.reshape(-1, 784).astype(np.float32) / np.float32(255)
    fitted, validation = order[:-10_000], order[-10_000:]
    for iterations in (5, 10, 15, 20, 25, 30, 40, 50, 70, 100):
        started = time.perf_counter()
        estimator = LogisticRegression(max_iter=iterations).fit(pixels[fitted], split.labels[fitted])
        seconds = time.perf_counter() - started
        if estimator.score(pixels[validation], split.labels[validation]) >= 0.92:
            print(seconds, flush=True)
            return


def _torch_model(options: argparse.Namespace):  # type: ignore[no-untyped-def]  # noqa: ANN202 - torch is imported late
    import torch

    if options.recipe == CONVOLUTIONAL:
        from nets import ConvolutionalNet

        return ConvolutionalNet().eval()
    if options.recipe == MATRIX:
        from nets import Matrix

        model = Matrix()
    else:
        from train.model.softmax import SoftmaxRegression

        model = SoftmaxRegression(options.recipe)
    model.load_state_dict(torch.load(options.weights, weights_only=True))
    return model.eval()


def _pixel_weights(options: argparse.Namespace) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    with np.load(options.weights) as saved:
        return saved["weight"], saved["bias"]


def _score_idx(options: argparse.Namespace, predict_proba) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    import pandas as pd

    count = (os.path.getsize(options.input) - HEADER) // 784
    images = np.memmap(options.input, np.uint8, "r", offset=HEADER, shape=(count, 784))
    with open(options.output, "w", encoding="utf-8", newline="") as file:
        for start in range(0, count, ROWS):
            found = predict_proba(images[start : start + ROWS])
            table = {"index": np.arange(start, start + len(found)), "prediction": found.argmax(1)}
            table["confidence"] = found.max(1).round(6)
            if options.probabilities:
                table |= {f"prob_{digit}": column for digit, column in enumerate(found.round(6).T)}
            pd.DataFrame(table).to_csv(file, index=False, header=start == 0)


PEERS = {peer.__name__: peer for peer in (torchvision, loop, numpy, sklearn, train_dataloader, train_sklearn)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("peer", choices=PEERS)
    parser.add_argument("input", help="folder of PNGs, IDX file, or folder of the data set")
    parser.add_argument("output", nargs="?", help="CSV")
    parser.add_argument("--weights", help=".pth for torch, .onnx for the loop, .npz for numpy and scikit-learn")
    parser.add_argument("--recipe", default="strokes", help=f"or {MATRIX}, {CONVOLUTIONAL}: those of nets.py")
    parser.add_argument("--workers", type=int, default=0, help="of the DataLoader")
    parser.add_argument("--resize", action="store_true", help="the pictures, to 28×28")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--probabilities", action="store_true", help="write all ten")
    options = parser.parse_args()
    PEERS[options.peer](options)


if __name__ == "__main__":
    main()
