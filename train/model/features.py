"""Fixed preprocessing inside the model: uint8 images in, one row of float32 features per image out.

Nothing here is learned. Every constant is a non-persistent buffer, so the ``state_dict`` of a model is
its linear layer alone, and the exported graph carries the constants itself.

Inside, the batch is the *last* axis: every slice is then a run of memory, every broadcast a long row, and pooling
a product with a small matrix on the left, which is what makes the exported graph fast at batches of 64 to 256.
"""

import torch
from torch import Tensor, nn

from train.model.deskew import PIXEL_MAX, SIDE, Upright

DIRECTIONS = 8
FINE = 12  # cells a side of the fine map, two pixels apart
FINE_BLUR = 1.2  # px
CELLS = 7  # cells a side for directions …
CELLS_SPAN, CELLS_BLUR = 11.5, 1.0  # … over this many fine cells
TURNS = 5  # cells a side for changes of direction
TURNS_SPAN, TURNS_BLUR = 11.0, 1.3
FAINT_FINE, FAINT = 0.05, 0.02  # cell lengths that count as blank, in the fine map and in the pooled ones
QUIET = 1e-4  # changes below this are rounding errors, which the square root of something near zero would magnify
ROOT = 1e-3  # keeps the slope of the square root finite at zero
TYPICAL = 0.35  # subtracted from every feature: smaller terms, smaller rounding error in the sum of 1,192 of them


def pooling(cells: int, inputs: int, span: float, blur: float) -> Tensor:
    """Gaussian windows evenly spaced over the middle of a line.

    Args:
        cells: number of windows.
        inputs: length of the line.
        span: length of its middle part that the windows share evenly.
        blur: standard deviation of a window.

    Returns:
        (cells, inputs) float32, rows sum to one.
    """
    centers = (torch.arange(cells) + 0.5) * span / cells + (inputs - span) / 2 - 0.5
    weights = torch.exp(-((torch.arange(inputs) - centers[:, None]) ** 2) / (2 * blur**2))
    return weights / weights.sum(1, keepdim=True)


def eight_directions() -> Tensor:
    """Make eight directions of six maps by a matrix.

    The maps are four rectified gradients (to the right, right + down, down, down - right) and the plain gradients to
    the right and down. Pooling is linear, so relu(-g) = relu(g) - g holds for pooled maps too: the opposite
    directions need no pooling of their own. Diagonals are sums of two differences; the factor √½ gives all four the
    same length.

    Returns:
        (8, 6) float32.
    """
    plain = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]])  # in terms of right and down
    lengths = torch.tensor([[1.0], [0.5**0.5], [1.0], [0.5**0.5]])
    ahead = torch.cat([torch.eye(4), torch.zeros(4, 2)], 1)
    behind = torch.cat([torch.eye(4), -plain], 1)
    return torch.cat([ahead * lengths, behind * lengths])


def normalise(maps: Tensor, faint: float) -> Tensor:
    """Divide every cell by its length across maps (Dalal and Triggs 2005, L2-norm with a constant).

    Args:
        maps: (D, rows, columns, N) float32.
        faint: length below which a cell counts as blank: normalising must not blow up noise.

    Returns:
        The same shape, every cell's length at most one.
    """
    flat = maps.flatten(1)
    # A sum over the first axis as a product with a row of ones: ONNX Runtime's ReduceSum takes five times as long.
    squares = torch.ones(1, len(maps), device=maps.device) @ (flat * flat)
    return (flat * (squares + faint * faint).sqrt().reciprocal()).reshape(maps.shape)


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


class Deskew(Features):
    """Pixels, 0 … 1, of the centred and deskewed image."""

    size = SIDE * SIDE

    def __init__(self) -> None:
        super().__init__()
        self.upright = Upright()

    def forward(self, images: Tensor) -> Tensor:
        """Centre, deskew, flatten.

        Args:
            images: (N, 28, 28) uint8.

        Returns:
            (N, 784) float32 in 0 … 1.
        """
        upright: Tensor = self.upright(images)
        return upright.flatten(0, 1).T


class Strokes(Features):
    """Where strokes run in which direction, and where they bend, end or begin.

    Gradients of the deskewed image are projected on eight directions and half-wave rectified (soft orientation
    bins: Lowe 2004; histograms of oriented gradients: Dalal and Triggs 2005), then pooled with Gaussian windows
    into a fine map. Directions: the map pooled to 7×7 cells. Changes: rectified differences of the normalised
    map to the right, left, down and up, pooled to 5×5 cells. Both are normalised per cell and square-rooted
    (the Hellinger kernel: Arandjelović and Zisserman 2012), which keeps strong edges from outvoting weak ones.
    """

    size = DIRECTIONS * (CELLS * CELLS + 4 * TURNS * TURNS)
    fine: Tensor
    cells: Tensor
    turns: Tensor
    eight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.upright = Upright()
        for name, window in (
            ("fine", pooling(FINE, SIDE - 2, 2 * FINE, FINE_BLUR)),  # gradients have no outermost pixels
            ("cells", pooling(CELLS, FINE, CELLS_SPAN, CELLS_BLUR)),
            ("turns", pooling(TURNS, FINE, TURNS_SPAN, TURNS_BLUR)),
        ):
            self.register_buffer(name, window, persistent=False)
        self.register_buffer("eight", eight_directions(), persistent=False)

    def directions(self, upright: Tensor) -> Tensor:
        """Make the fine map.

        Args:
            upright: (28, 28, N) float32.

        Returns:
            (8, 12, 12, N) float32, four half circles of directions and their opposites, not negative.
        """
        inner, middle = upright[1:-1], upright[:, 1:-1]
        right = inner[:, 2:] - inner[:, :-2]  # (26, 26, N)
        down = middle[2:] - middle[:-2]
        parts = [*map(torch.relu, (right, right + down, down, down - right)), right, down]
        # One at a time: few large arrays are alive at once.
        pooled = [self.fine @ (self.fine @ part.flatten(1)).reshape(FINE, SIDE - 2, -1) for part in parts]
        maps = self.eight @ torch.stack(pooled).flatten(1)  # (8, 12·12·N)
        return maps.reshape(DIRECTIONS, FINE, FINE, -1)

    def pool(self, window: Tensor, maps: Tensor, across: Tensor) -> Tensor:
        """Pool rows with one set of windows and columns with another.

        Args:
            window: (r, R) float32.
            maps: (D, R, C, N) float32.
            across: (c, C) float32.

        Returns:
            (D, r, c, N) float32.
        """
        rows = window @ maps.flatten(2)  # (D, r, C·N)
        pooled: Tensor = across @ rows.reshape(len(maps), len(window), maps.shape[2], -1)
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Deskew, then directions and their changes.

        Args:
            images: (N, 28, 28) uint8.

        Returns:
            (N, 1192) float32 in -0.32 … 0.65.
        """
        fine = self.directions(self.upright(images))
        cells = self.pool(self.cells, fine, self.cells)  # (8, 7, 7, N)
        fine = normalise(fine, FAINT_FINE)
        inner = self.turns[:, 1:-1]  # differences have no outermost cells
        right = fine[:, :, 2:] - fine[:, :, :-2]  # (8, 12, 10, N)
        down = fine[:, 2:] - fine[:, :-2]
        turns = torch.cat(
            [
                self.pool(self.turns, right.clamp(min=QUIET), inner),
                self.pool(self.turns, (-right).clamp(min=QUIET), inner),
                self.pool(inner, down.clamp(min=QUIET), self.turns),
                self.pool(inner, (-down).clamp(min=QUIET), self.turns),
            ]
        )  # (32, 5, 5, N)
        both = torch.cat([normalise(part, FAINT).flatten(0, 2) for part in (cells, turns)])  # (1192, N)
        return ((both + ROOT).sqrt() - TYPICAL).T


FEATURES: dict[str, type[Features]] = {"pixels": Pixels, "deskew": Deskew, "strokes": Strokes}
