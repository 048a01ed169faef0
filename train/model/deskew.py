"""Centres a digit by mass and shears it upright, inside the model and its exported graph."""

import torch
from torch import Tensor, nn

SIDE = 28
CENTER = 13.5  # the middle of pixels 0 … 27
PIXEL_MAX = 255.0
MAX_SHEAR = 1.0  # 45°: no written digit leans more, a lone speck may
MIN_SPREAD = 0.5  # px², added to the vertical variance: keeps one row of ink from being sheared wildly
MIN_INK = 1.0  # grey levels, added to the mass: a blank image has its centre at the origin


def moment_matrix() -> Tensor:
    """Evaluate the five polynomials whose products with an image are its moments.

    Coordinates are whole numbers around pixel 14, so every sum over a uint8 image is a whole number below
    2**24: float32 holds it exactly, whatever the order of summation, in torch as in ONNX Runtime.

    Returns:
        (784, 5) float32, columns ``1, x, y, x·y, y²``.
    """
    line = torch.arange(SIDE, dtype=torch.float32) - SIDE // 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([torch.ones_like(x), x, y, x * y, y * y], dim=-1).reshape(SIDE * SIDE, 5)


class Upright(nn.Module):
    """Moves the centre of mass to the middle and shears the digit upright.

    The shear is ``μxy / μyy``, the slope of the regression of x on y under the image's second moments
    (image moments: Hu 1962; deskewing of digits: LeCun et al. 1998). Only whole rows move sideways and only
    whole images move up or down, so one gather and two linear interpolations do what a general resampling
    (``grid_sample``) does at several times the price. Interpolation is continuous where ``floor`` jumps, so
    rounding in ``floor``'s argument moves the result by no more than that rounding.
    """

    moments: Tensor
    steps: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("moments", moment_matrix(), persistent=False)
        # One row and one column more than the image: interpolation needs both neighbours.
        self.register_buffer("steps", torch.arange(SIDE + 1).unsqueeze(1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Centre and deskew.

        Args:
            images: (N, 28, 28) uint8.

        Returns:
            (28, 28, N) float32 in 0 … 1, zero where the source lies outside the image.
        """
        flat = images.flatten(1)
        sums = (flat.to(torch.float32) @ self.moments).T  # (5, N)
        ink, sum_x, sum_y, sum_xy, sum_yy = sums.unsqueeze(1).unbind()  # each (1, N)
        ink = ink + MIN_INK
        x, y = sum_x / ink, sum_y / ink
        shear = (sum_xy / ink - x * y) / (sum_yy / ink - y * y + MIN_SPREAD)
        shear = shear.clamp(-MAX_SHEAR, MAX_SHEAR)

        # Shifts from output to source pixels; the half pixel is the distance from pixel 14 to the middle.
        down = y + (SIDE // 2 - CENTER)  # (1, N)
        first = down.floor()
        rows = (self.steps.to(torch.float32) + first).clamp(-1, SIDE)  # (29, N) source rows; -1 and 28 are blank
        right = x + (SIDE // 2 - CENTER) + shear * (rows - SIDE // 2 - y)
        right = right.clamp(-SIDE, SIDE)
        whole = right.floor()

        # A blank margin as wide as the image serves as the right margin of one row and the left of the next.
        stride = 2 * SIDE + 1
        padded = nn.functional.pad(flat.T.reshape(SIDE, SIDE, -1), (0, 0, 0, SIDE + 1, 1, 2))  # (31, 57, N)
        start = ((rows + 1) * stride + whole).clamp(min=0).to(torch.int64)  # (29, N)
        index = start.unsqueeze(1) + self.steps  # (29, 29, N)
        near = padded.flatten(0, 1).gather(0, index.flatten(0, 1)).to(torch.float32)
        near = near.reshape(SIDE + 1, SIDE + 1, -1)

        part = ((right - whole) / PIXEL_MAX).unsqueeze(1)  # (29, 1, N)
        across = near[:, :-1] * (1 / PIXEL_MAX - part) + near[:, 1:] * part  # (29, 28, N)
        upright: Tensor = across[:-1] + (across[1:] - across[:-1]) * (down - first)
        return upright
