"""The versions: each requirement has a floor that scripts/floors.py finds, and a pin that fits it."""

import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from support.helpers import ROOT, script

PYPROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")


def requirements():
    tables = tomllib.loads(PYPROJECT)
    extras = tables["project"]["optional-dependencies"]
    lists = [tables["build-system"]["requires"], tables["project"]["dependencies"], *extras.values()]
    return [Requirement(text) for requirement in lists for text in requirement]


def test_each_requirement_has_a_floor_with_its_marker():
    floors = [Requirement(line) for line in script("floors").floors(PYPROJECT)]
    assert [(one.name, str(one.marker)) for one in floors] == [(one.name, str(one.marker)) for one in requirements()]
    for floor, requirement in zip(floors, requirements(), strict=True):
        assert requirement.specifier == SpecifierSet(str(floor.specifier).replace("==", ">="))


@pytest.mark.parametrize("requirement", ["numpy", "numpy<3", "numpy>=2,<3", "numpy[all]>=2", "numpy~=2.0"])
def test_a_requirement_without_a_plain_floor_is_refused(requirement):
    pyproject = f'build-system.requires = []\n[project]\ndependencies = ["{requirement}"]\n'
    with pytest.raises(ValueError, match="does not say its oldest version as 'name>=version'"):
        list(script("floors").floors(pyproject))


def test_each_pin_fits_its_requirement():
    lines = (ROOT / "scripts/constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    for requirement in requirements():
        found = [pin for pin in pins if canonicalize_name(pin.name) == canonicalize_name(requirement.name)]
        assert found, requirement
        for pin in found:
            assert requirement.specifier.contains(str(pin.specifier).removeprefix("==")), (requirement, pin)
