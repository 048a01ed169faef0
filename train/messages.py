"""What `train run` says about one's own pictures: what is trained on, and how the models compare."""

from collections.abc import Iterator
from typing import Any, Final

from train.additions import Additions
from train.comparison import BUNDLED, NEW
from train.fitting.repeats import Choice

_VERDICTS: Final = {
    NEW: "the new one is better",
    BUNDLED: "the bundled one is better",
    None: "too few to tell which is better",
}


def describe_choice(additions: Additions, choice: Choice) -> str:
    """One line about how much is trained on and held out, and how often each picture is repeated."""
    tried = f" (5-fold validation of {', '.join(map(str, choice.grid))}: {choice.seconds:.0f} s)" if choice.grid else ""
    times = "once" if choice.repeats == 1 else f"{choice.repeats} times"
    return (
        f"--add: {len(additions.train):,} pictures to train on, each {times}{tried}; "
        f"{len(additions.held_out):,} held out"
    )


def describe_comparison(dataset: str, metrics: dict[str, Any]) -> Iterator[str]:
    """One line for each set of pictures on which the models were compared; none if they were not.

    Args:
        dataset: name of the data set.
        metrics: content of metrics.json.
    """
    compared = metrics.get("comparison", {})
    names = {"test": f"{dataset}, test", "held_out": "own pictures, held out"}
    for key, result in compared.items():
        count = result["images"]
        if not count:
            yield f"{names[key]}: no pictures; too few to tell which model is better"
            continue
        scores = ", ".join(
            f"{name} {result[model]['accuracy']:.2%} ({_interval(result[model]['wilson_95'])})"
            for model, name in ((BUNDLED, "bundled model"), (NEW, "new one"))
        )
        yield f"{names[key]} ({count:,}): {scores}; {_VERDICTS[result['better']]}"


def _interval(bounds: list[float]) -> str:
    low, high = bounds
    return f"{low:.2%} to {high:.2%}" if high - low < 0.01 else f"{low:.1%} to {high:.1%}"
