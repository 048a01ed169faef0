"""A small convolutional net to compare with: the ONNX model zoo's `mnist-8`, trained here in a minute or two."""

from typing import Final

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

EPOCHS: Final = 6
BATCH: Final = 128
RATE: Final = 3e-3  # of Adam, at its highest; the schedule is a cosine
SCORED: Final = 1000  # images at a time

Images = npt.NDArray[np.uint8]


class SmallNet(nn.Module):
    """Two convolutions of 5×5, each with a maximum, and one matrix: (N, 28, 28) uint8 → logits (N, 10).

    5,998 parameters, about 26 KB as ONNX.
    """

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 8, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3),
            nn.Flatten(), nn.Linear(256, 10),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images.unsqueeze(1).to(torch.float32) / 255)
        return logits


def train_net(net: nn.Module, images: Images, labels: npt.NDArray[np.integer], epochs: int = EPOCHS) -> nn.Module:
    """Train a net of logits on images (N, 28, 28) and labels (N,), in the way of most tutorials: no augmentation."""
    torch.manual_seed(0)
    for module in net.modules():
        if hasattr(module, "reset_parameters"):
            module.reset_parameters()
    pixels, targets = torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
    steps = epochs * -(-len(pixels) // BATCH)
    optimizer = torch.optim.Adam(net.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    for _ in range(epochs):
        for rows in torch.randperm(len(pixels)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(net(pixels[rows]), targets[rows]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def predict(net: nn.Module, images: Images) -> npt.NDArray[np.int64]:
    """Classify images (N, 28, 28) → (N,)."""
    with torch.inference_mode():
        return torch.cat([net(part).argmax(1) for part in torch.from_numpy(images).split(SCORED)]).numpy()
