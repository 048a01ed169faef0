"""Recipes: which fixed features a model sees, and how it is trained unless one says otherwise."""

import dataclasses
from dataclasses import dataclass
from typing import Any, Final

from batch_infer.errors import UsageError


@dataclass(frozen=True)
class Hyperparameters:
    """How to train.

    Attributes:
        optimizer: `sgd` or `lbfgs`.
        epochs: at most; of lbfgs, one epoch is one iteration on all training images at once.
        batch_size: images a step; 0 for lbfgs.
        lr: learning rate.
        momentum: of sgd.
        weight_decay: L2 penalty; of sgd as in torch, of lbfgs as optimizers.Lbfgs says.
        patience: epochs without a better validation loss before training stops.
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
    """A model family. Everything in it was chosen on the validation split.

    Attributes:
        name: what `--recipe` takes; `train.model.features.FEATURES` has its preprocessing.
        sgd: defaults for `--optimizer sgd`.
        lbfgs: defaults for `--optimizer lbfgs`.
        default_optimizer: which of the two.
        copies: distorted copies of each training image with `--augment`.
        outliers: with `--augment`, pictures that are no digits, as a share of images and copies.
        augment: whether `--augment` is the default.
        plain_weight_decay: of lbfgs without copies: less data, more regularisation.
        calibrate: whether a temperature is fitted on the validation split and folded into the weights.
    """

    name: str
    sgd: Hyperparameters
    lbfgs: Hyperparameters
    default_optimizer: str
    copies: int = 6
    outliers: float = 0.0
    augment: bool = False
    plain_weight_decay: float = 1e-4
    calibrate: bool = False

    def hyperparameters(self, optimizer: str | None = None, *, augment: bool = False, **given: Any) -> Hyperparameters:
        """The recipe's defaults for an optimizer, with what was given in their place (None is not given)."""
        base = {"sgd": self.sgd, "lbfgs": self.lbfgs}[optimizer or self.default_optimizer]
        if base.optimizer == "lbfgs" and not augment:
            base = dataclasses.replace(base, weight_decay=self.plain_weight_decay)
        return dataclasses.replace(base, **{key: value for key, value in given.items() if value is not None})


# The textbook's learning rate; momentum 0.98 makes it effectively fifty times as large: a dozen epochs do.
_SGD: Final = Hyperparameters("sgd", 20, 128, 0.001, 0.98, 0.0, 5)
_LBFGS: Final = Hyperparameters("lbfgs", 30, 0, 1.0, 0.0, 1e-5, 10)

RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        Recipe("pixels", _SGD, _LBFGS, "sgd", plain_weight_decay=3e-4),
        Recipe("deskew", _SGD, _LBFGS, "lbfgs", plain_weight_decay=1e-3),
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


def recipe_named(name: str) -> Recipe:
    """Look up a recipe.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in RECIPES:
        raise UsageError(f"recipe {name!r}: expected one of {', '.join(RECIPES)}")
    return RECIPES[name]
