"""Many runs into one folder, with what people do to it in between: each picture is there once, where it belongs."""

import os
import random
import shutil

import pytest
from support.sorting import content_of, lay

from batch_infer.inference.folders import FOLDERS
from batch_infer.job.sorting.files import WAYS

NAMES = ["a.png", "b.png", "x/a.png", "x/c.png", "y/a.png"]


def somebody(rng: random.Random, into, foreign: dict[str, bytes | str]) -> None:
    """Do something to a file in the folder that is then no longer ours."""
    present = content_of(into)
    ours = [name for name in present if name not in foreign]
    folder, action = rng.choice(FOLDERS), rng.randrange(4)
    if action == 0 or not ours:
        name = f"{folder}/{rng.choice(['a.png', 'b.png', 'mine.txt'])}"
        if name not in present:
            (into / name).write_bytes(b"by hand")
            foreign[name] = b"by hand"
        return
    name = rng.choice(ours)
    moved = f"{folder}/{os.path.basename(name)}"
    if action == 1:
        (into / name).unlink()
    elif action == 2:
        (into / name).unlink()
        (into / name).write_bytes(b"instead")
        foreign[name] = b"instead"
    elif moved not in present:
        (into / name).rename(into / moved)
        foreign[moved] = present[name]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_every_picture_is_there_once_and_foreign_files_stay(pngs, into, tmp_path, seed):
    rng, root, foreign = random.Random(seed), pngs(*NAMES), {}
    for number, name in enumerate(NAMES):
        shutil.copyfile(root / name, tmp_path / f"{number}.png")
    for _ in range(12):
        here = [name for name in NAMES if rng.random() < 0.8]
        for number, name in enumerate(NAMES):
            if name not in here:
                (root / name).unlink(missing_ok=True)
            elif not (root / name).exists():
                shutil.copyfile(tmp_path / f"{number}.png", root / name)
        if not here:
            continue
        folders = [rng.choice(FOLDERS[:3]) for _ in here]
        lay([root], " ".join(folders), into, rng.choice(WAYS))
        found = content_of(into)
        assert {name: found[name] for name in foreign} == foreign
        ours = [name for name in found if name not in foreign]
        expected = [(folder, (root / name).read_bytes()) for folder, name in zip(folders, here, strict=True)]
        assert sorted((os.path.dirname(name), (into / name).read_bytes()) for name in ours) == sorted(expected)
        somebody(rng, into, foreign)
