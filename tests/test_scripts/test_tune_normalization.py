"""The tuning script: it finds the constants, changes them everywhere and back, and counts what that changes."""

import re

import pytest
from support.helpers import ROOT, script

from batch_infer.normalization import mnist_format, pipeline

NUMBER = r"^(_?[A-Z][A-Z0-9_]*)(?:: Final)? = -?[\d.]+(?:  #.*)?$"


@pytest.fixture
def tune():
    return script("tune_normalization")


def test_it_finds_every_constant_of_the_package_and_only_numbers(tune):
    found = {str(constant): constant for constant in tune.constants()}
    folder = ROOT / "batch_infer" / "normalization"
    written = {
        ".".join([*path.relative_to(folder).with_suffix("").parts, name])
        for path in folder.rglob("*.py")
        for name in re.findall(NUMBER, path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(written) > 10
    assert written <= set(found)
    assert all(tune.is_numeric(constant.value) for constant in found.values())
    assert found["mnist_format.MIN_PEAK"].value == mnist_format.MIN_PEAK


def test_a_constant_is_changed_wherever_it_was_imported_and_back(tune):
    shared = next(constant for constant in tune.constants() if len(constant.places) > 1 and constant.item is None)
    with tune.changed(shared, 1.5):
        values = {getattr(module, name) for module, name in shared.places}
        assert values == {tune.scaled_value(shared.value, 1.5)}
    assert {getattr(module, name) for module, name in shared.places} == {shared.value}


def test_the_items_of_a_tuple_are_changed_one_at_a_time(tune):
    shortest, longest = (one for one in tune.constants() if one.name == "LENGTHS" and one.module is mnist_format)
    assert (str(shortest), str(longest)) == ("mnist_format.LENGTHS[0]", "mnist_format.LENGTHS[1]")
    before = mnist_format.LENGTHS
    with tune.changed(longest, 1.5):
        assert (before[0], round(before[1] * 1.5)) == mnist_format.LENGTHS
    assert mnist_format.LENGTHS is before


@pytest.mark.parametrize(
    ("value", "factor", "expected"), [(10, 1.5, 15), (1, 1.5, 2), (1, 0.67, 0), (2.0, 1.5, 3.0), (-3, 0.67, -2)]
)
def test_values_are_scaled(tune, value, factor, expected):
    assert tune.scaled_value(value, factor) == expected


def test_flags_and_texts_are_no_numbers_to_scale(tune):
    assert not any(map(tune.is_numeric, (True, "a", (), (1, "a"), ((1, 2), 3), None)))
    assert all(map(tune.is_numeric, (1, 0, -0.5, (1, 2.5))))


def test_the_table_counts_what_changes(tune):
    shown = tune.pictures("^(inverted|blur)$", 1)
    assert [picture.kind for picture in shown] == ["inverted"] * 2 + ["blur"] * 4

    lines = list(tune.table(shown, r"^mnist_format\.MIN_PEAK$"))
    assert re.match(r"6 pictures of 2 kinds, \d{4}-\d\d-\d\d: 6 good, 0 confident mistakes$", lines[0])
    assert lines[3].startswith(f"| `mnist_format.MIN_PEAK` | {mnist_format.MIN_PEAK} | 0 | | | ")
    assert re.fullmatch(r"\nThat change nothing: [01].*", lines[-1])


def test_what_no_longer_works_counts_as_changed(tune, monkeypatch):
    (picture,) = tune.pictures("^inverted$", 0)
    before = tune.measure([picture], classifier := tune.OnnxClassifier())
    monkeypatch.setattr("renditions.seen.examine", lambda _, **_options: pipeline.missing)
    after = tune.measure([picture], classifier)
    assert after.seen[0].refused == "internal_error"
    assert not tune.same(before.seen[0], after.seen[0])
    assert tune.difference(before, after, [picture]) == "-1 | +0 | inverted -1"
