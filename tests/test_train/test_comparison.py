"""The bundled model against a new one: scores, and whether there are enough pictures to tell."""

from math import comb
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from train.additions import Additions
from train.comparison import compare, sign_test
from train.data import Split
from train.fitting.repeats import Choice
from train.messages import describe_choice, describe_comparison


def compared(mnist, classifier, count, wrong):
    """Compare with a model that is as right as the bundled one, but for its first answers."""
    split = Split(mnist.images[:count], mnist.labels[:count].astype(np.int8))
    predictions = torch.from_numpy(np.asarray(classifier.predict(split.images)).astype(np.int64))
    predictions[:wrong] = (predictions[:wrong] + 1) % 10
    return compare(split, SimpleNamespace(predictions=predictions))


def test_a_model_with_many_more_mistakes_is_told_to_be_worse(mnist, classifier):
    result = compared(mnist, classifier, 100, 6)
    assert (result["images"], result["better"]) == (100, "bundled")
    assert result["bundled"] == {"correct": 100, "accuracy": 1.0, "wilson_95": [0.963007, 1.0]}
    assert result["new"] == {"correct": 94, "accuracy": 0.94, "wilson_95": [0.875232, 0.972214]}


def test_few_differences_are_too_few_to_tell(mnist, classifier):
    assert compared(mnist, classifier, 100, 5)["better"] is None  # 2 · (1/2)⁵ = 0.06
    assert compared(mnist, classifier, 100, 0)["better"] is None


def test_no_pictures_are_no_comparison():
    empty = Split(np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int8))
    assert compare(empty, None) == {"images": 0, "bundled": None, "new": None, "better": None}


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [(0, 0, 1.0), (3, 3, 1.0), (0, 6, 2 / 64), (6, 0, 2 / 64), (2, 8, 2 * (1 + 10 + comb(10, 2)) / 1024)],
)
def test_sign_test(first, second, expected):
    assert sign_test(first, second) == pytest.approx(expected)


def score(accuracy, low, high):
    return {"correct": 0, "accuracy": accuracy, "wilson_95": [low, high]}


def test_the_lines_name_pictures_scores_and_verdict():
    metrics = {
        "comparison": {
            "test": {
                "images": 10_000,
                "bundled": score(0.9954, 0.9939, 0.9966),
                "new": score(0.995, 0.9934, 0.9962),
                "better": None,
            },
            "held_out": {
                "images": 133,
                "bundled": score(0.9474, 0.896, 0.974),
                "new": score(0.9925, 0.959, 0.999),
                "better": "new",
            },
        }
    }
    first, second = describe_comparison("packaged MNIST", metrics)
    assert first == (
        "packaged MNIST, test (10,000): bundled model 99.54% (99.39% to 99.66%), new one 99.50% (99.34% to 99.62%); "
        "too few to tell which is better"
    )
    assert second == (
        "own pictures, held out (133): bundled model 94.74% (89.6% to 97.4%), new one 99.25% (95.9% to 99.9%); "
        "the new one is better"
    )
    metrics["comparison"]["held_out"] = {"images": 0, "bundled": None, "new": None, "better": None}
    assert list(describe_comparison("packaged MNIST", metrics))[1] == (
        "own pictures, held out: no pictures; too few to tell which model is better"
    )
    assert list(describe_comparison("packaged MNIST", {})) == []


def test_the_line_about_repetitions():
    additions = Additions([], [0] * 504, [0] * 133)
    chosen = Choice(16, (1, 4, 16), (0.3, 0.2, 0.1), (0.1, 0.1, 0.1), 5.4)
    assert describe_choice(additions, chosen) == (
        "--add: 504 pictures to train on, each 16 times (5-fold validation of 1, 4, 16: 5 s); 133 held out"
    )
    assert (
        describe_choice(additions, Choice(1, (), (), (), 0.0))
        == "--add: 504 pictures to train on, each once; 133 held out"
    )
