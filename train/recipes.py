"""Recipes: named model families, each with default hyperparameters."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

from batch_infer.errors import UsageError


@dataclass(frozen=True)
class Hyperparameters:
    """Settings of the optimizer and of the training loop.

    Attributes:
        optimizer: `sgd` or `lbfgs`.
        epochs: maximum number; one epoch of lbfgs is one iteration on all training images.
        batch_size: images per step; 0 for lbfgs.
        lr: learning rate.
        momentum: of sgd; 0 for lbfgs.
        weight_decay: L2 penalty; for sgd as in torch, for lbfgs as in `train.fitting.optimizers.Lbfgs`.
        patience: epochs without a better validation loss after which training stops.
    """

    optimizer: str
    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    patience: int


@dataclass(frozen=True)
class Recipe:
    """A model family with its defaults, all of them chosen on the validation split.

    Attributes:
        name: value of `--recipe`, and key of `train.model.features.FEATURES`.
        sgd: defaults for `--optimizer sgd`.
        lbfgs: defaults for `--optimizer lbfgs`.
        default_optimizer: `sgd` or `lbfgs`.
        copies: with `--augment`, number of distorted copies of each training image.
        outliers: with `--augment`, number of outliers as a share of images and copies.
        augment: whether `--augment` is the default.
        unaugmented_weight_decay: of lbfgs with `--no-augment`: less data, more regularization.
        calibrate: whether a temperature is fitted on the validation split and folded into the weights.
    """

    name: str
    sgd: Hyperparameters
    lbfgs: Hyperparameters
    default_optimizer: str
    copies: int = 6
    outliers: float = 0.0
    augment: bool = False
    unaugmented_weight_decay: float = 1e-4
    calibrate: bool = False

    def hyperparameters(self, optimizer: str | None = None, *, augment: bool = False, **given: Any) -> Hyperparameters:
        """The defaults for an optimizer, overridden by `given` where it is not None."""
        base = {"sgd": self.sgd, "lbfgs": self.lbfgs}[optimizer or self.default_optimizer]
        if base.optimizer == "lbfgs" and not augment:
            base = dataclasses.replace(base, weight_decay=self.unaugmented_weight_decay)
        return dataclasses.replace(base, **{key: value for key, value in given.items() if value is not None})


# A common learning rate; momentum 0.98 makes it effectively fifty times as large, so that a dozen epochs are enough.
_SGD: Final = Hyperparameters("sgd", 20, 128, 0.001, 0.98, 0.0, 5)
_LBFGS: Final = Hyperparameters("lbfgs", 30, 0, 1.0, 0.0, 1e-5, 10)

RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        Recipe("pixels", _SGD, _LBFGS, "sgd", unaugmented_weight_decay=3e-4),
        Recipe("deskew", _SGD, _LBFGS, "lbfgs", unaugmented_weight_decay=1e-3),
        Recipe(
            "strokes",
            dataclasses.replace(_SGD, lr=0.01),
            dataclasses.replace(_LBFGS, patience=5),
            "lbfgs",
            outliers=0.01,
            augment=True,
            calibrate=True,
        ),
    )
}

DEFAULT_RECIPE: Final = "strokes"


def get_recipe(name: str) -> Recipe:
    """Look up a recipe by name.

    Raises:
        UsageError: there is no recipe of that name.
    """
    if name not in RECIPES:
        raise UsageError(f"recipe {name!r}: expected one of {', '.join(RECIPES)}")
    return RECIPES[name]
