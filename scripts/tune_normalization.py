"""Measure what each constant of the normalization is worth: × 0.67 and × 1.5, one at a time, on training digits.

    python scripts/tune_normalization.py [--constants REGEX] [--kinds REGEX] [--count 5] [--out table.md]

Looks at the golden pictures and at `--count` more of each kind. For each constant and factor it prints how many results
change, by how many pictures the good ones change (a digit that the model reads rightly; several digits or none that are
refused or below 0.9), and the confident mistakes (0.9 and above), and the kinds in which the good ones change most.
Constants that change nothing at all are marked: they, or their rules, can go.

A constant is an upper-case name that a module of batch_infer.normalization gives a number or a tuple of numbers, whose
items are changed one at a time. It is changed in every module that imports it; not where it went into another constant
or a default value at import.
"""

import argparse
import ast
import importlib
import inspect
import pkgutil
import re
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from golden_pictures import GOLDEN, is_input, slug
from renditions.catalogue import KINDS, draw, training_digits
from renditions.drawing import Expected
from renditions.seen import Seen, see

import batch_infer.normalization
from batch_infer.classifier import OnnxClassifier
from batch_infer.contract import IMAGE_SIZE, INTERNAL_ERROR
from batch_infer.decoding.decode import decode

FACTORS: Final = (0.67, 1.5)
SEED: Final = 15
SURE: Final = 0.9
NAMED: Final = 3  # kinds that are named where the good ones change
FORMAT: Final = IMAGE_SIZE, IMAGE_SIZE
BROKEN: Final = Seen(None, INTERNAL_ERROR)  # another size: a constant was changed that only looks like a choice
Value = int | float | tuple[int | float, ...]


class Constant(NamedTuple):
    """A constant, or one item of a tuple.

    Attributes:
        module: defines it.
        name: of the constant.
        value: of the constant.
        places: all (module, name) where it stands.
        item: its position, if it is one item of the tuple `value`.
    """

    module: ModuleType
    name: str
    value: Value
    places: list[tuple[ModuleType, str]]
    item: int | None = None

    def __str__(self) -> str:
        inside = self.module.__name__.removeprefix(batch_infer.normalization.__name__ + ".")
        return f"{inside}.{self.name}{'' if self.item is None else f'[{self.item}]'}"

    def times(self, factor: float) -> Value:
        """The constant's value with it, or its item, times a factor."""
        if isinstance(self.value, tuple):
            return tuple(
                scaled_value(number, factor) if place == self.item else number
                for place, number in enumerate(self.value)
            )
        return scaled_value(self.value, factor)


class Picture(NamedTuple):
    """A picture, decoded, with its kind and what it shows."""

    kind: str
    grey: npt.NDArray[np.generic]
    label: int
    expected: Expected


class Results(NamedTuple):
    """What became of all pictures, and which of them (N,) are good, or confident mistakes."""

    seen: list[Seen]
    good: npt.NDArray[np.bool_]
    mistaken: npt.NDArray[np.bool_]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--constants", default="", metavar="REGEX", help="only constants in whose names this is found")
    parser.add_argument("--kinds", default="", metavar="REGEX", help="only kinds in whose names this is found")
    parser.add_argument("--count", type=int, default=5, metavar="N", help="pictures a kind besides the golden ones")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the table there, too")
    options = parser.parse_args()
    lines = []
    for line in table(pictures(options.kinds, options.count), options.constants):
        print(line, flush=True)
        lines.append(line)
    if options.out:
        options.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


def pictures(kinds: str, count: int) -> list[Picture]:
    """The golden pictures of some kinds, and `count` more of each kind."""
    digits, labels = training_digits()
    found = []
    for name in (name for name in KINDS if re.search(kinds, name)):
        expected = KINDS[name].expected
        for path in filter(is_input, sorted((GOLDEN / slug(name)).glob("*"))):
            label = int(path.name[0]) if path.name[0].isdigit() else -1
            found.append(Picture(name, decode(path.read_bytes()).grey, label, expected))
        drawn = draw(name, digits[::-1], labels[::-1], count, SEED)  # reversed: not the golden ones' digits
        found += [
            Picture(name, decode(data).grey, label, expected)
            for data, label in zip(drawn.files, drawn.labels.tolist(), strict=True)
        ]
    return found


def table(shown: list[Picture], only: str = "") -> Iterator[str]:
    """The lines of a table in Markdown: one for each constant."""
    classifier = OnnxClassifier()
    before = measure(shown, classifier)
    yield (
        f"{len(shown)} pictures of {len({picture.kind for picture in shown})} kinds, {datetime.now(UTC):%Y-%m-%d}: "
        f"{before.good.sum()} good, {before.mistaken.sum()} confident mistakes"
    )
    heads = " | ".join(f"× {factor}: changed | good | mistakes | kinds" for factor in FACTORS)
    yield f"\n| constant | value | {heads} |"
    yield "|---|---|" + "---:|---:|---:|---|" * len(FACTORS)
    idle = []
    for constant in constants():
        if not re.search(only, str(constant)):
            continue
        cells, any_change = [], False
        for factor in FACTORS:
            with changed(constant, factor):
                after = measure(shown, classifier)
            number = sum(not same(one, other) for one, other in zip(before.seen, after.seen, strict=True))
            any_change |= number > 0
            cells.append(f"{number} | {difference(before, after, shown)}" if number else "0 | | | ")
        if not any_change:
            idle.append(f"`{constant}`")
        yield f"| `{constant}`{'' if any_change else ' **changes nothing**'} | {constant.value} | {' | '.join(cells)} |"
    yield f"\nThat change nothing: {len(idle)}{': ' if idle else ''}{', '.join(idle)}"


def measure(shown: list[Picture], classifier: OnnxClassifier) -> Results:
    """Normalize and classify all pictures."""
    seen = [see(picture.grey) for picture in shown]
    seen = [BROKEN if one.image is not None and one.image.shape != FORMAT else one for one in seen]
    images = np.stack([np.zeros(FORMAT, np.uint8) if one.image is None else one.image for one in seen])
    probabilities = classifier.predict_proba(images)
    answered = np.array([not one.refused for one in seen])
    sure = answered & (np.minimum(probabilities.max(1), [one.most for one in seen]) >= SURE)
    single = np.array([picture.expected == "digit" for picture in shown])
    right = answered & single & (probabilities.argmax(1) == [picture.label for picture in shown])
    return Results(seen, np.where(single, right, ~sure), sure & ~right)


def same(one: Seen, other: Seen) -> bool:
    if one.image is None or other.image is None:
        return one.refused == other.refused
    return one.most == other.most and np.array_equal(one.image, other.image)


def difference(before: Results, after: Results, shown: list[Picture]) -> str:
    """Cells: by how many pictures the good ones and the confident mistakes change, and where the good ones do."""
    by_kind: Counter[str] = Counter()
    for picture, was, now in zip(shown, before.good.tolist(), after.good.tolist(), strict=True):
        by_kind[picture.kind] += now - was
    most = sorted((item for item in by_kind.items() if item[1]), key=lambda item: -abs(item[1]))[:NAMED]
    return (
        f"{sum(by_kind.values()):+} | {int(after.mistaken.sum()) - int(before.mistaken.sum()):+} | "
        f"{', '.join(f'{kind} {change:+}' for kind, change in most)}"
    )


def constants() -> list[Constant]:
    """All constants of the package, in the order of modules and lines."""
    package = batch_infer.normalization
    names = [
        package.__name__,
        *(found.name for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")),
    ]
    modules = [importlib.import_module(name) for name in names]
    trees = [ast.parse(inspect.getsource(module)) for module in modules]
    imported = [
        (f"{node.module}.{alias.name}", module, alias.asname or alias.name)
        for module, tree in zip(modules, trees, strict=True)
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    ]
    result = []
    for module, tree in zip(modules, trees, strict=True):
        for node in tree.body:
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            for name in (target.id for target in targets if isinstance(target, ast.Name) and target.id.isupper()):
                value = getattr(module, name)
                if is_numeric(value):
                    others = [place[1:] for place in imported if place[0] == f"{module.__name__}.{name}"]
                    items = range(len(value)) if isinstance(value, tuple) else (None,)
                    result += [Constant(module, name, value, [(module, name), *others], item) for item in items]
    return result


def is_numeric(value: object) -> bool:
    """A number that can be scaled, or a tuple of them."""
    if isinstance(value, tuple):
        return bool(value) and all(is_numeric(item) and not isinstance(item, tuple) for item in value)
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def scaled_value(value: float, factor: float) -> float:
    """A number times a factor; whole numbers stay whole, and change by one at least."""
    if isinstance(value, float):
        return value * factor
    rounded = round(value * factor)
    return rounded if rounded != value else value + (1 if factor > 1 else -1)


@contextmanager
def changed(constant: Constant, factor: float) -> Iterator[None]:
    """Change a constant wherever it stands, for a while."""
    try:
        for module, name in constant.places:
            setattr(module, name, constant.times(factor))
        forget()
        yield
    finally:
        for module, name in constant.places:
            setattr(module, name, constant.value)
        forget()


def forget() -> None:
    """Empty the caches of the package's functions: their results depend on constants."""
    for name, module in list(sys.modules.items()):
        if name.startswith(batch_infer.normalization.__name__):
            for function in vars(module).values():
                if hasattr(function, "cache_clear"):
                    function.cache_clear()


if __name__ == "__main__":
    main()
