"""Deskewing: centers a digit by mass and removes its slant, inside the model and its exported graph."""

from typing import Final

import torch
from torch import Tensor, nn

from batch_infer.contract import IMAGE_SIZE

CENTER: Final = 13.5  # px; the middle of pixels 0 … 27
PIXEL_MAX: Final = 255.0
MAX_SHEAR: Final = 1.0  # 45°: no written digit leans more, a lone speck may
VARIANCE_EPSILON: Final = 0.5  # px², added to the vertical variance: a single row of ink must not be sheared wildly
MASS_EPSILON: Final = 1.0  # gray levels, added to the mass: a blank image has its center at the origin


def moment_matrix() -> Tensor:
    """Make the matrix whose product with an image is its raw moments up to second order, without x².

    Coordinates are whole numbers around pixel 14, so every sum over a uint8 image is a whole number below
    2²⁴: float32 holds it exactly, whatever the order of summation, in torch as in ONNX Runtime.

    Returns:
        `(784, 5)` float32, columns `1, x, y, x·y, y²`.
    """
    line = torch.arange(IMAGE_SIZE, dtype=torch.float32) - IMAGE_SIZE // 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([torch.ones_like(x), x, y, x * y, y * y], dim=-1).reshape(IMAGE_SIZE * IMAGE_SIZE, 5)


class CenterAndDeskew(nn.Module):
    """Moves the center of mass to the middle, and shears the digit so that its slant is zero.

    The shear is `μxy / μyy`, the slope of the regression of x on y under the image's second central moments
    (image moments: Hu 1962; deskewing of digits: LeCun et al. 1998). Only whole rows move sideways and only
    whole images move up or down, so one gather and two linear interpolations do what a general resampling
    (`grid_sample`) does at several times the cost. Interpolation is continuous where `floor` jumps, so
    rounding in `floor`'s argument moves the result by no more than that rounding.

    The names of the buffers are names in the exported file.
    """

    moments: Tensor
    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("moments", moment_matrix(), persistent=False)
        # One row and one column more than the image: interpolation needs both neighbors.
        self.register_buffer("steps", torch.arange(IMAGE_SIZE + 1).unsqueeze(1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Center and deskew.

        Args:
            images: `(N, 28, 28)` uint8.

        Returns:
            `(28, 28, N)` float32 in 0 … 1, zero where the source lies outside the image.
        """
        flat = images.flatten(1)
        sums = (flat.to(torch.float32) @ self.moments).T  # (5, N)
        mass, sum_x, sum_y, sum_xy, sum_yy = sums.unsqueeze(1).unbind()  # each (1, N)
        mass = mass + MASS_EPSILON
        x, y = sum_x / mass, sum_y / mass
        shear = (sum_xy / mass - x * y) / (sum_yy / mass - y * y + VARIANCE_EPSILON)
        shear = shear.clamp(-MAX_SHEAR, MAX_SHEAR)

        # Shifts from output to source pixels; the half pixel is the distance from pixel 14 to the middle.
        down = y + (IMAGE_SIZE // 2 - CENTER)  # (1, N)
        whole_down = down.floor()
        # Source rows (29, N); -1 and 28 are blank.
        rows = (self.steps.to(torch.float32) + whole_down).clamp(-1, IMAGE_SIZE)
        right = x + (IMAGE_SIZE // 2 - CENTER) + shear * (rows - IMAGE_SIZE // 2 - y)
        right = right.clamp(-IMAGE_SIZE, IMAGE_SIZE)
        whole_right = right.floor()

        # (31, 57, N): a blank margin as wide as the image is the right margin of one row and the left of the next.
        stride = 2 * IMAGE_SIZE + 1
        padded = nn.functional.pad(flat.T.reshape(IMAGE_SIZE, IMAGE_SIZE, -1), (0, 0, 0, IMAGE_SIZE + 1, 1, 2))
        start = ((rows + 1) * stride + whole_right).clamp(min=0).to(torch.int64)  # (29, N)
        index = start.unsqueeze(1) + self.steps  # (29, 29, N)
        near = padded.flatten(0, 1).gather(0, index.flatten(0, 1)).to(torch.float32)
        near = near.reshape(IMAGE_SIZE + 1, IMAGE_SIZE + 1, -1)

        fraction = ((right - whole_right) / PIXEL_MAX).unsqueeze(1)  # (29, 1, N)
        sheared = near[:, :-1] * (1 / PIXEL_MAX - fraction) + near[:, 1:] * fraction  # (29, 28, N)
        deskewed: Tensor = sheared[:-1] + (sheared[1:] - sheared[:-1]) * (down - whole_down)
        return deskewed
