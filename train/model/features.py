"""Fixed preprocessing inside the model: uint8 images in, one row of float32 features per image out.

Nothing here is learned. Every constant is a non-persistent buffer, so the `state_dict` of a model is its linear layer
alone, and the exported graph holds the constants itself. Names of buffers and submodules are names in that file.

Inside, the batch is the *last* axis: every slice is then contiguous in memory, every broadcast a long row, and pooling
a product with a small matrix on the left, which is what makes the exported graph fast at batches of 64 to 256.
"""

from typing import Final

import torch
from torch import Tensor, nn

from batch_infer.contract import IMAGE_SIZE
from train.model.deskew import PIXEL_MAX, CenterAndDeskew

ORIENTATIONS: Final = 8
FINE_CELLS: Final = 12  # along a side of the fine map, two pixels apart
FINE_SIGMA: Final = 1.2  # px
CELLS: Final = 7  # along a side of the pooled orientation map …
CELLS_SPAN, CELLS_SIGMA = 11.5, 1.0  # … in cells of the fine map
CHANGE_CELLS: Final = 5  # along a side of the pooled map of changes of orientation
CHANGE_SPAN, CHANGE_SIGMA = 11.0, 1.3
FINE_EPSILON, EPSILON = 0.05, 0.02  # norms below which a cell counts as blank, in the fine map and in the pooled ones
MIN_CHANGE: Final = 1e-4  # smaller changes are rounding errors, which the square root near zero would magnify
SQRT_EPSILON: Final = 1e-3  # keeps the slope of the square root finite at zero
OFFSET: Final = 0.35  # subtracted from every feature: smaller terms, smaller rounding error in the sum of 1,192 of them


def gaussian_windows(cells: int, inputs: int, span: float, sigma: float) -> Tensor:
    """Make Gaussian windows evenly spaced over the middle of a line, to pool with.

    Args:
        cells: number of windows.
        inputs: length of the line.
        span: length of its middle part that the windows divide evenly.
        sigma: standard deviation of a window.

    Returns:
        `(cells, inputs)` float32, rows sum to one.
    """
    centers = (torch.arange(cells) + 0.5) * span / cells + (inputs - span) / 2 - 0.5
    weights = torch.exp(-((torch.arange(inputs) - centers[:, None]) ** 2) / (2 * sigma**2))
    return weights / weights.sum(1, keepdim=True)


def orientation_matrix() -> Tensor:
    """Make the matrix that computes eight orientation maps from six.

    The six are four rectified gradients (to the right, right + down, down, down - right) and the plain gradients to
    the right and down. Pooling is linear, so relu(-g) = relu(g) - g holds for pooled maps too: the opposite
    orientations need no pooling of their own. Diagonals are sums of two differences; the factor √½ gives all four the
    same length.

    Returns:
        `(8, 6)` float32.
    """
    gradients = torch.tensor([[1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [-1.0, 1.0]])  # in terms of right and down
    lengths = torch.tensor([[1.0], [0.5**0.5], [1.0], [0.5**0.5]])
    positive = torch.cat([torch.eye(4), torch.zeros(4, 2)], 1)
    negative = torch.cat([torch.eye(4), -gradients], 1)
    return torch.cat([positive * lengths, negative * lengths])


def normalize_cells(maps: Tensor, epsilon: float) -> Tensor:
    """Divide every cell by its L2 norm across maps (Dalal and Triggs 2005, L2-norm with a constant).

    Args:
        maps: `(D, rows, columns, N)` float32.
        epsilon: norm below which a cell counts as blank: normalization must not amplify noise.

    Returns:
        The same shape, every cell's norm at most one.
    """
    flat = maps.flatten(1)
    # A sum over the first axis as a product with a row of ones: ONNX Runtime's ReduceSum takes five times as long.
    squares = torch.ones(1, len(maps), device=maps.device) @ (flat * flat)
    return (flat * (squares + epsilon * epsilon).sqrt().reciprocal()).reshape(maps.shape)


class Features(nn.Module):
    """Base class: fixed preprocessing, `(N, 28, 28)` uint8 → `(N, size)` float32.

    Attributes:
        size: number of features.
        scale: what the features are `unscaled` divided by. The exported model has its weights divided instead.
    """

    size: int
    scale: float = 1.0

    def unscaled(self, images: Tensor) -> Tensor:
        """Compute the features times `scale`: `(N, 28, 28)` uint8 → `(N, size)` float32."""
        features: Tensor = self(images)
        return features


class Pixels(Features):
    """Raw pixels, 0 … 1."""

    size = IMAGE_SIZE * IMAGE_SIZE
    scale = PIXEL_MAX

    def unscaled(self, images: Tensor) -> Tensor:
        """Flatten: `(N, 28, 28)` uint8 → `(N, 784)` float32 in 0 … 255."""
        return images.flatten(1).to(torch.float32)

    def forward(self, images: Tensor) -> Tensor:
        """Flatten and scale.

        Args:
            images: `(N, 28, 28)` uint8.

        Returns:
            `(N, 784)` float32 in 0 … 1.
        """
        return self.unscaled(images) / PIXEL_MAX


class Deskew(Features):
    """Pixels, 0 … 1, of the centered and deskewed image."""

    size = IMAGE_SIZE * IMAGE_SIZE

    def __init__(self) -> None:
        super().__init__()
        self.upright = CenterAndDeskew()

    def forward(self, images: Tensor) -> Tensor:
        """Center, deskew, flatten.

        Args:
            images: `(N, 28, 28)` uint8.

        Returns:
            `(N, 784)` float32 in 0 … 1.
        """
        deskewed: Tensor = self.upright(images)
        return deskewed.flatten(0, 1).T


class Strokes(Features):
    """Histograms of oriented gradients, and of where the orientation changes: strokes, their bends and ends.

    Gradients of the deskewed image are projected on eight orientations and half-wave rectified (soft orientation
    bins: Lowe 2004; histograms of oriented gradients: Dalal and Triggs 2005), then pooled with Gaussian windows
    into a fine map. Orientations: the map pooled to 7×7 cells. Changes: rectified differences of the normalized
    map to the right, left, down and up, pooled to 5×5 cells. Both are normalized per cell and square-rooted
    (the Hellinger kernel: Arandjelović and Zisserman 2012), which keeps strong edges from outvoting weak ones.
    """

    size = ORIENTATIONS * (CELLS * CELLS + 4 * CHANGE_CELLS * CHANGE_CELLS)
    fine: Tensor
    cells: Tensor
    turns: Tensor
    eight: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.upright = CenterAndDeskew()
        for name, window in (
            (
                "fine",
                gaussian_windows(FINE_CELLS, IMAGE_SIZE - 2, 2 * FINE_CELLS, FINE_SIGMA),
            ),  # gradients have no outermost pixels
            ("cells", gaussian_windows(CELLS, FINE_CELLS, CELLS_SPAN, CELLS_SIGMA)),
            ("turns", gaussian_windows(CHANGE_CELLS, FINE_CELLS, CHANGE_SPAN, CHANGE_SIGMA)),
        ):
            self.register_buffer(name, window, persistent=False)
        self.register_buffer("eight", orientation_matrix(), persistent=False)

    def fine_map(self, deskewed: Tensor) -> Tensor:
        """Pool the rectified gradients of each orientation.

        Args:
            deskewed: `(28, 28, N)` float32.

        Returns:
            `(8, 12, 12, N)` float32, four orientations and their opposites, not negative.
        """
        inner, middle = deskewed[1:-1], deskewed[:, 1:-1]
        right = inner[:, 2:] - inner[:, :-2]  # (26, 26, N)
        down = middle[2:] - middle[:-2]
        gradients = [*map(torch.relu, (right, right + down, down, down - right)), right, down]
        # One at a time: few large arrays are alive at once.
        pooled = [
            self.fine @ (self.fine @ part.flatten(1)).reshape(FINE_CELLS, IMAGE_SIZE - 2, -1) for part in gradients
        ]
        maps = self.eight @ torch.stack(pooled).flatten(1)  # (8, 12·12·N)
        return maps.reshape(ORIENTATIONS, FINE_CELLS, FINE_CELLS, -1)

    def pool(self, row_windows: Tensor, maps: Tensor, column_windows: Tensor) -> Tensor:
        """Pool rows with one set of windows and columns with another.

        Args:
            row_windows: `(r, R)` float32.
            maps: `(D, R, C, N)` float32.
            column_windows: `(c, C)` float32.

        Returns:
            `(D, r, c, N)` float32.
        """
        rows = row_windows @ maps.flatten(2)  # (D, r, C·N)
        pooled: Tensor = column_windows @ rows.reshape(len(maps), len(row_windows), maps.shape[2], -1)
        return pooled

    def forward(self, images: Tensor) -> Tensor:
        """Deskew, then compute orientations and their changes.

        Args:
            images: `(N, 28, 28)` uint8.

        Returns:
            `(N, 1192)` float32 in -0.32 … 0.65.
        """
        fine = self.fine_map(self.upright(images))
        cells = self.pool(self.cells, fine, self.cells)  # (8, 7, 7, N)
        fine = normalize_cells(fine, FINE_EPSILON)
        inner = self.turns[:, 1:-1]  # differences have no outermost cells
        right = fine[:, :, 2:] - fine[:, :, :-2]  # (8, 12, 10, N)
        down = fine[:, 2:] - fine[:, :-2]
        changes = torch.cat(
            [
                self.pool(self.turns, right.clamp(min=MIN_CHANGE), inner),
                self.pool(self.turns, (-right).clamp(min=MIN_CHANGE), inner),
                self.pool(inner, down.clamp(min=MIN_CHANGE), self.turns),
                self.pool(inner, (-down).clamp(min=MIN_CHANGE), self.turns),
            ]
        )  # (32, 5, 5, N)
        both = torch.cat([normalize_cells(part, EPSILON).flatten(0, 2) for part in (cells, changes)])  # (1192, N)
        return ((both + SQRT_EPSILON).sqrt() - OFFSET).T


FEATURES: dict[str, type[Features]] = {"pixels": Pixels, "deskew": Deskew, "strokes": Strokes}
