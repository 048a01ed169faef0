"""Recipes: which fixed features a model sees, and how it is trained unless one says otherwise."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from batch_infer.errors import UsageError

if TYPE_CHECKING:
    from train.features import Features


@dataclass(frozen=True)
class Hyperparameters:
    """What the optimizer needs.

    Attributes:
        optimizer: `sgd` or `lbfgs`.
        epochs: for lbfgs, one epoch is up to 20 iterations on all training images at once.
        batch_size: images a step (sgd only).
        lr: learning rate.
        momentum: of sgd.
        weight_decay: L2 penalty, added to the gradient as `weight_decay · weight`.
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
    """A model family.

    Attributes:
        name: what `--recipe` takes.
        about: one line for people.
        sgd: defaults for `--optimizer sgd`.
        lbfgs: defaults for `--optimizer lbfgs`.
        default_optimizer: which of the two.
    """

    name: str
    about: str
    sgd: Hyperparameters
    lbfgs: Hyperparameters
    default_optimizer: str

    @property
    def features(self) -> "Callable[[], Features]":
        """The class of its fixed preprocessing (imports torch)."""
        from train import features

        return {"pixels": features.Pixels, "deskew": features.Deskew}[self.name]

    def hyperparameters(self, optimizer: str | None, **given: Any) -> Hyperparameters:
        """The recipe's defaults for an optimizer, with what was given in their place (None is not given)."""
        base = {"sgd": self.sgd, "lbfgs": self.lbfgs}[optimizer or self.default_optimizer]
        return dataclasses.replace(base, **{key: value for key, value in given.items() if value is not None})


# Chosen on the validation split. The learning rate is the textbook's; momentum 0.98 makes it effectively fifty times
# as large, which is what lets a dozen epochs do.
_SGD: Final = Hyperparameters("sgd", 20, 128, 0.001, 0.98, 0.0, 5)
_LBFGS: Final = Hyperparameters("lbfgs", 15, 0, 1.0, 0.0, 1e-4, 3)

RECIPES: Final = {
    recipe.name: recipe
    for recipe in (
        Recipe("pixels", "784 raw pixels: the textbook model", _SGD, _LBFGS, "sgd"),
        Recipe("deskew", "784 pixels of the centred and deskewed image", _SGD, _LBFGS, "lbfgs"),
    )
}

DEFAULT_RECIPE: Final = "deskew"


def recipe_named(name: str) -> Recipe:
    """Look up a recipe.

    Raises:
        UsageError: there is none of that name.
    """
    if name not in RECIPES:
        raise UsageError(f"recipe {name!r}: expected one of {', '.join(RECIPES)}")
    return RECIPES[name]
