"""How often one's own digits are repeated beside MNIST's: found by cross-validation on a small, quick problem."""

import time
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from batch_infer.contract import CLASSES
from train.fitting.feature_cache import cache_features
from train.fitting.optimizers import eigenbasis
from train.model.softmax import SoftmaxRegression
from train.own_digits import FOLDS, OwnDigits

GRID: Final = (1, 4, 16)
LARGEST_SHARE: Final = 0.25  # of the training images: so many more, repetitions included, may be added
MIN_DIGITS: Final = 20  # of fewer, a cross-validation says nothing
DEFAULT: Final = 4  # repetitions of so few
NEGLIGIBLE: Final = 0.05  # of the best log-loss: a difference that is not worth more repetitions
_SAMPLE: Final = 10_000  # of the training images, each standing for several
_MAX_OWN: Final = 5_000
_COMPONENTS: Final = 200  # principal components of the features that the small problem sees
_DAMPING: Final = 1e-2  # of their variances, as a share of the mean
_DECAY: Final = 3e-4
_COPIES: Final = 2  # distorted copies of each digit, if the run has copies
_FIRST_STEPS, _STEPS = 40, 10  # of L-BFGS: from nothing, and from the solution of the number before


@dataclass(frozen=True)
class Choice:
    """What was chosen, and from what.

    Attributes:
        repeats: how often each of one's own digits is repeated.
        grid: the numbers that were tried; empty if there was no choice.
        losses: for each of them, the mean log-loss (nats) of digits that a fit had not seen.
        errors: likewise, the share of them that were wrong.
        seconds: how long it took.
    """

    repeats: int
    grid: tuple[int, ...]
    losses: tuple[float, ...]
    errors: tuple[float, ...]
    seconds: float


def choose_repeats(
    model: SoftmaxRegression,
    images: Tensor,
    labels: Tensor,
    own: OwnDigits,
    device: str | torch.device = "cpu",
    *,
    copies: int = 0,
    seed: int = 0,
) -> Choice:
    """Choose how often one's own digits are repeated in training, by cross-validation in five folds.

    Every fold is classified by fits on a sample of the training images and on the other four folds, with each number of
    repetitions. Chosen is the smallest whose log-loss is within one standard error of the best (Breiman et al. 1984) or
    hardly above it: more would take longer, weigh more beside MNIST, and gain little.

    The fits are those of a softmax regression on principal components of the recipe's features, whatever the recipe's
    own layer is: small enough for all of them to take seconds.

    Args:
        model: whose features are used, on `device`; its weights do not matter.
        images: `(N, 28, 28)` uint8 training images.
        labels: `(N,)` 0–9.
        own: one's own digits to train on.
        device: where to compute.
        copies: number of distorted copies of each image in the run.
        seed: seed of the sample and of the distortions.
    """
    started = time.perf_counter()
    grid = [number for number in GRID if number == 1 or number * len(own) <= LARGEST_SHARE * len(labels)]
    if len(grid) == 1 or len(own) < MIN_DIGITS:
        repeats = max(number for number in grid if number <= DEFAULT)
        return Choice(repeats, (), (), (), 0.0)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(seed))[:_SAMPLE]
    sample = cache_features(model.features, images[order], labels[order], device)
    few = slice(0, _MAX_OWN)  # in the order of their hashes, so these are a random sample
    copies = min(copies, _COPIES)
    digits, truth = torch.from_numpy(own.images[few]), torch.from_numpy(own.labels[few])
    mine = cache_features(model.features, digits, truth, device, copies=copies, seed=seed)
    folds = torch.from_numpy(own.folds[few]).to(device)
    project = _principal_components(sample.features)
    rows = torch.cat([project(sample.features), project(mine.features.to(torch.float32))])
    targets = torch.cat([sample.labels, mine.labels])
    weights = torch.full((len(targets),), len(labels) / len(sample), device=device)
    weights[len(sample) :] = 0
    start = _fit(rows, targets, weights, torch.zeros(rows.shape[1] + 1, CLASSES, device=device), _FIRST_STEPS)
    losses = torch.zeros(len(grid), len(folds))
    wrong = torch.zeros(len(grid), dtype=torch.int64)
    # What a sample of them stands for.
    scale = len(own) / len(folds) / (1 + copies)
    for fold in range(FOLDS):
        unseen = folds == fold
        solution = start
        for place, number in enumerate(grid):
            weights[len(sample) :] = (~unseen).repeat(1 + copies) * number * scale
            solution = _fit(rows, targets, weights, solution, _STEPS)
            originals = slice(len(sample), len(sample) + len(folds))
            logits = _logits(rows[originals][unseen], solution)
            losses[place, unseen.cpu()] = cross_entropy(logits, targets[originals][unseen], reduction="none").cpu()
            wrong[place] += int((logits.argmax(dim=1) != targets[originals][unseen]).sum())
    best = int(losses.mean(dim=1).argmin())
    excess = losses - losses[best]
    tolerance = (excess.std(dim=1) / len(folds) ** 0.5).clamp(min=NEGLIGIBLE * float(losses[best].mean()))
    chosen = int((excess.mean(dim=1) <= tolerance).nonzero()[0])
    return Choice(
        grid[chosen],
        tuple(grid),
        tuple(round(loss, 6) for loss in losses.mean(dim=1).tolist()),
        tuple(round(error, 6) for error in (wrong / len(folds)).tolist()),
        round(time.perf_counter() - started, 1),
    )


def _principal_components(features: Tensor) -> "Projection":
    """Find the principal components of features `(N, F)` float32, scaled to a variance of one, small ones to less."""
    mean = features.mean(dim=0)
    centered = features - mean
    variances, vectors = eigenbasis(centered.T @ centered / len(features))
    scale = (variances.clamp(min=0) + _DAMPING * variances.mean()).rsqrt()
    return Projection(mean, (vectors * scale)[:, -_COMPONENTS:])


@dataclass(frozen=True)
class Projection:
    """Onto some directions `(F, K)`, after subtracting a mean `(F,)`."""

    mean: Tensor
    directions: Tensor

    def __call__(self, features: Tensor) -> Tensor:
        """Project features `(N, F)` float32 → `(N, K)`."""
        return (features - self.mean) @ self.directions


def _logits(rows: Tensor, solution: Tensor) -> Tensor:
    return rows @ solution[:-1] + solution[-1]


def _fit(rows: Tensor, targets: Tensor, weights: Tensor, start: Tensor, steps: int) -> Tensor:
    """Fit a weighted softmax regression.

    Args:
        rows: `(N, K)`.
        targets: `(N,)` int64.
        weights: `(N,)` of the rows.
        start: `(K + 1, 10)`: weights, and the bias in the last row.
        steps: of L-BFGS.

    Returns:
        The solution, as `start`.
    """
    solution = start.clone().requires_grad_()
    lbfgs = torch.optim.LBFGS([solution], max_iter=steps, history_size=steps, line_search_fn="strong_wolfe")
    shares = weights / weights.sum()

    def closure() -> Tensor:
        lbfgs.zero_grad()
        losses = cross_entropy(_logits(rows, solution), targets, reduction="none")
        loss = (losses * shares).sum() + _DECAY * solution[:-1].square().sum()
        loss.backward()
        return loss

    lbfgs.step(closure)
    return solution.detach()
