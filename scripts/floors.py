"""Print the oldest versions that pyproject.toml allows, as pip's constraints: `python scripts/floors.py > floors.txt`.

`name>=1.2; marker` becomes `name==1.2 ; marker`, for the build backend, the dependencies and all extras.
It needs only Python, as it runs before there is an environment.
"""

import re
import tomllib
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

_PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)\s*>=\s*(?P<floor>[A-Za-z0-9.]+)\s*(?:;\s*(?P<marker>.+))?")


def floors(pyproject: str) -> Iterator[str]:
    """Yield one constraint per requirement of a pyproject.toml, given as text.

    Raises:
        ValueError: A requirement is not of the form `name>=version` or `name>=version; marker`.
    """
    tables = tomllib.loads(pyproject)
    project = tables["project"]
    extras = project.get("optional-dependencies", {})
    for requirement in chain(tables["build-system"]["requires"], project["dependencies"], *extras.values()):
        found = _REQUIREMENT.fullmatch(requirement)
        if not found:
            raise ValueError(f"pyproject.toml: {requirement!r} does not say its oldest version as 'name>=version'")
        constraint = f"{found['name']}=={found['floor']}"
        yield f"{constraint} ; {found['marker']}" if found["marker"] else constraint


if __name__ == "__main__":
    print("\n".join(floors(_PYPROJECT.read_text(encoding="utf-8"))))
