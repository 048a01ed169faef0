"""Fixed preprocessing inside the model: uint8 images in, one row of float32 features per image out.

Nothing here is learned. Every constant is a non-persistent buffer, so the ``state_dict`` of a model is
its linear layer alone, and the exported graph carries the constants itself.
"""

import torch
from torch import Tensor, nn

SIDE = 28
CENTER = 13.5  # the middle of pixels 0 … 27
PIXEL_MAX = 255.0
MAX_SHEAR = 1.0  # 45°: no written digit leans more, a lone speck may
MIN_SPREAD = 0.5  # px², added to the vertical variance: keeps one row of ink from being sheared wildly
MIN_INK = 1.0  # grey levels, added to the mass: a blank image has its centre at the origin


def moment_matrix() -> Tensor:
    """The five polynomials whose products with an image are its moments.

    Coordinates are whole numbers around pixel 14, so every sum over a uint8 image is a whole number below
    2**24: float32 holds it exactly, whatever the order of summation, in torch as in ONNX Runtime.

    Returns:
        (784, 5) float32, columns ``1, x, y, x·y, y²``.
    """
    line = torch.arange(SIDE, dtype=torch.float32) - SIDE // 2
    y, x = torch.meshgrid(line, line, indexing="ij")
    return torch.stack([torch.ones_like(x), x, y, x * y, y * y], dim=-1).reshape(SIDE * SIDE, 5)


class Features(nn.Module):
    """Base: fixed preprocessing, (N, 28, 28) uint8 → (N, size) float32."""

    size: int


class Pixels(Features):
    """Raw pixels, 0 … 1: the textbook features."""

    size = SIDE * SIDE

    def forward(self, images: Tensor) -> Tensor:
        """Flatten and scale.

        Args:
            images: (N, 28, 28) uint8.

        Returns:
            (N, 784) float32 in 0 … 1.
        """
        return images.flatten(1).to(torch.float32) / PIXEL_MAX


class Upright(nn.Module):
    """Moves the centre of mass to the middle and shears the digit upright.

    The shear is ``μxy / μyy``, the slope of the regression of x on y under the image's second moments
    (image moments: Hu 1962; deskewing of digits: LeCun et al. 1998). Only whole rows move sideways and only
    whole images move up or down, so one gather and two linear interpolations do what a general resampling
    (``grid_sample``) does at several times the price. Interpolation is continuous where ``floor`` jumps, so
    rounding in ``floor``'s argument moves the result by no more than that rounding.
    """

    moments: Tensor
    rows: Tensor
    columns: Tensor

    def __init__(self, scale: float) -> None:
        super().__init__()
        self.scale = scale
        self.register_buffer("moments", moment_matrix(), persistent=False)
        # One row and one column more than the image: interpolation needs both neighbours.
        self.register_buffer("rows", torch.arange(SIDE + 1, dtype=torch.float32), persistent=False)
        self.register_buffer("columns", torch.arange(SIDE + 1), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        """Centre and deskew.

        Args:
            images: (N, 28, 28) uint8.

        Returns:
            (N, 28, 28) float32, grey levels times ``scale``; zero where the source lies outside the image.
        """
        sums = images.flatten(1).to(torch.float32) @ self.moments  # (N, 5)
        ink, sum_x, sum_y, sum_xy, sum_yy = sums.unsqueeze(-1).unbind(1)  # each (N, 1)
        ink = ink + MIN_INK
        x, y = sum_x / ink, sum_y / ink
        shear = (sum_xy / ink - x * y) / (sum_yy / ink - y * y + MIN_SPREAD)
        shear = shear.clamp(-MAX_SHEAR, MAX_SHEAR)

        # Shifts from output to source pixels; the half pixel is the distance from pixel 14 to the middle.
        down = y + (SIDE // 2 - CENTER)  # (N, 1)
        first = down.floor()
        rows = (self.rows + first).clamp(-1, SIDE)  # (N, 29) source rows; -1 and 28 are blank
        right = x + (SIDE // 2 - CENTER) + shear * (rows - SIDE // 2 - y)
        right = right.clamp(-SIDE, SIDE)
        whole = right.floor()

        # A blank margin as wide as the image serves as the right margin of one row and the left of the next.
        stride = 2 * SIDE + 1
        padded = nn.functional.pad(images, (0, SIDE + 1, 1, 2)).flatten(1)  # (N, 31 · 57) uint8
        start = (rows + 1) * stride + whole
        index = start.to(torch.int64).clamp(min=0).unsqueeze(-1) + self.columns  # (N, 29, 29)
        near = padded.gather(1, index.flatten(1)).to(torch.float32).unflatten(1, (SIDE + 1, SIDE + 1))

        part = ((right - whole) * self.scale).unsqueeze(-1)  # (N, 29, 1)
        across = near[:, :, :-1] * (self.scale - part) + near[:, :, 1:] * part  # (N, 29, 28)
        part = (down - first).unsqueeze(-1)  # (N, 1, 1)
        return across[:, :-1] + (across[:, 1:] - across[:, :-1]) * part


class Deskew(Features):
    """Pixels, 0 … 1, of the centred and deskewed image."""

    size = SIDE * SIDE

    def __init__(self) -> None:
        super().__init__()
        self.upright = Upright(scale=1.0 / PIXEL_MAX)

    def forward(self, images: Tensor) -> Tensor:
        """Centre, deskew, flatten.

        Args:
            images: (N, 28, 28) uint8.

        Returns:
            (N, 784) float32 in 0 … 1.
        """
        upright: Tensor = self.upright(images)
        return upright.flatten(1)
