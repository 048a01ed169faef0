"""What the exporter wrote about a model, read and checked."""

import json
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from batch_infer.contract import CLASSES, SCHEMA_VERSION
from batch_infer.errors import ModelError
from batch_infer.self_test import SELF_TEST_IMAGES
from batch_infer.strict_json import JsonLimitError, parse_json


class Metadata(NamedTuple):
    """The metadata that a model carries.

    Attributes:
        content: JSON values by key.
        known_logits: `(3, 10)` float64, the logits of self_test_images.
    """

    content: dict[str, Any]
    known_logits: npt.NDArray[np.float64]


def read_metadata(properties: dict[str, str], name: str) -> Metadata:
    """Read a model's metadata.

    Args:
        properties: the model's metadata strings, by key.
        name: name of the model in messages.

    Raises:
        ModelError: something is missing, or has the wrong type or version.
    """
    make = "make a model with: python -m export onnx"
    content: dict[str, Any] = {}
    for key, text in properties.items():
        if key in {"path", "sha256"}:  # --model-info tells these of the file itself
            raise ModelError(f"{name}: its metadata have the key {key!r}, which the exporter does not write; {make}")
        try:
            content[key] = parse_json(text)
        except json.JSONDecodeError:
            content[key] = text  # such as ONNX's standard `Image.*` keys, which are plain text
        except JsonLimitError as error:
            raise ModelError(f"{name}: its metadata under {key[:40]!r} cannot be read ({error}); {make}") from error
    for key in ("schema_version", "canary"):
        if key not in content:
            raise ModelError(f"{name}: its metadata lack {key!r}; {make}")
    version, known = content["schema_version"], _known_logits(content["canary"])
    if known is None:
        raise ModelError(f"{name}: its metadata have no logits of its self-test; {make}")
    if version != SCHEMA_VERSION or known.shape != (SELF_TEST_IMAGES, CLASSES):
        shown = str(version)[:40]
        raise ModelError(
            f"{name}: made by another version (schema {shown}, expected {SCHEMA_VERSION}); export it again"
        )
    recipe = content.get("recipe")
    if recipe is not None and not (isinstance(recipe, str) and recipe.isprintable() and len(recipe) <= 100):
        raise ModelError(f"{name}: its metadata name a recipe that is no name: {str(recipe)[:40]!r}; {make}")
    return Metadata(content, known)


def _known_logits(self_test: Any) -> npt.NDArray[np.float64] | None:
    """The logits, float64, whose shape is not checked here; None if they are not rows of numbers of one length."""
    rows = self_test.get("logits") if isinstance(self_test, dict) else None
    if not isinstance(rows, list) or not all(
        isinstance(row, list) and all(type(value) in {int, float} for value in row) for row in rows
    ):
        return None
    try:
        known = np.asarray(rows, np.float64)
    except (ValueError, OverflowError):  # rows of different lengths, an integer beyond 1e308
        return None
    return known
