"""Softmax regression: fixed preprocessing → one linear layer → logits."""

from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from batch_infer.contract import CLASSES, IMAGE_SIZE
from batch_infer.given import describe_given
from train.model.features import FEATURES
from train.recipes import get_recipe


class SoftmaxRegression(nn.Module):
    """Multinomial logistic regression on fixed features of an image.

    Its `state_dict` is `linear.weight` `(10, F)` and `linear.bias` `(10,)`, float32: nothing else is learned.

    Attributes:
        recipe: name of the recipe, which determines the features.
        features: the fixed preprocessing, `(N, 28, 28)` uint8 → `(N, F)` float32.
        linear: the trained layer.
    """

    def __init__(self, recipe: str, *, seed: int = 0) -> None:
        """Make an untrained model; the same seed gives the same weights.

        Raises:
            UsageError: there is no recipe of that name.
        """
        super().__init__()
        self.recipe = recipe
        self.features = FEATURES[get_recipe(recipe).name]()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.linear = nn.Linear(self.features.size, CLASSES)

    def forward(self, images: Tensor) -> Tensor:
        """Compute the logits `(N, 10)` float32 of images `(N, 28, 28)` uint8, light ink on dark."""
        logits: Tensor = self.linear(self.features(images))
        return logits


def predict_image(img: npt.NDArray[Any] | Tensor, model: SoftmaxRegression) -> int:
    """Classify one image.

    Args:
        img: `(28, 28)` uint8 array or tensor, or torchvision's `(1, 28, 28)` float in 0–1; light ink on dark.
        model: a trained model.

    Returns:
        The digit, 0–9.

    Raises:
        ValueError: neither array nor tensor, or wrong shape or dtype.
    """
    if not isinstance(img, np.ndarray | Tensor):
        # Not a TypeError: all that does not fit is a ValueError.
        raise ValueError(  # noqa: TRY004
            f"expected an image (28, 28) uint8 as an array or a tensor, got {describe_given(img)}"
        )
    image = torch.from_numpy(img) if isinstance(img, np.ndarray) else img
    if image.shape == (1, IMAGE_SIZE, IMAGE_SIZE):
        image = image[0]
    if image.is_floating_point() and image.numel() and image.min() >= 0 and image.max() <= 1:
        image = (image * 255).round().to(torch.uint8)
    if image.shape != (IMAGE_SIZE, IMAGE_SIZE) or image.dtype != torch.uint8:
        raise ValueError(f"expected (28, 28) uint8 or (1, 28, 28) float in 0–1, got {tuple(image.shape)} {image.dtype}")
    with torch.inference_mode():
        logits = model(image.unsqueeze(0).to(model.linear.weight.device))
    return int(logits.argmax())
