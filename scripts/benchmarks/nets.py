"""Two models that are not ours, to put behind torchvision's loop: one matrix, and a small convolutional net."""

import torch
from torch import Tensor, nn


class Matrix(nn.Module):
    """`Linear(784, 10)` on pixels in 0 … 1, with the pixel model's weights: (N, 28, 28) uint8 → logits (N, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(784, 10)

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.linear(images.flatten(1).to(torch.float32) / 255)
        return logits


class ConvolutionalNet(nn.Module):
    """The net of Simard, Steinkraus, Platt (2003), best practices for convolutional neural networks.

    Two convolutions of 5×5 with stride 2 and two matrices, (N, 28, 28) uint8 → logits (N, 10). They report 0.4 % error
    on MNIST's test images, trained with elastic distortions. Here its weights are random: that takes the same time.
    """

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.layers = nn.Sequential(
            nn.ZeroPad2d((0, 1, 0, 1)),
            nn.Conv2d(1, 5, 5, stride=2), nn.ReLU(), nn.Conv2d(5, 50, 5, stride=2), nn.ReLU(),
            nn.Flatten(), nn.Linear(1250, 100), nn.ReLU(), nn.Linear(100, 10),
        )  # fmt: skip

    def forward(self, images: Tensor) -> Tensor:
        logits: Tensor = self.layers(images.unsqueeze(1).to(torch.float32) / 255)
        return logits
