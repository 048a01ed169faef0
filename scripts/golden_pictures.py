"""The golden pictures: draw the inputs, renew what `normalize` makes of them, show what has changed.

    python scripts/golden_pictures.py [--sheet changed.png]      what differs from the expected pictures
    python scripts/golden_pictures.py --update [--unreleased]    renew the expected pictures
    python scripts/golden_pictures.py --draw                     draw the inputs of new kinds (--redraw: of all)

tests/golden/<kind>/ holds inputs, <label>-<number>.png, .jpg …, and beside each what `normalize` makes of it:
<label>-<number>.expected.png, or .expected.txt with the code of the refusal; beside a picture, .expected.txt says that
other digits may stand there. manifest.json says by which NORMALIZATION_VERSION they were made. A picture that changes
needs a new version, so --update refuses to renew one under the version that it was made by, unless that one is not
released yet (--unreleased).
"""

import argparse
import hashlib
import io
import json
import re
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from changes import LOSSLESS
from PIL import Image, ImageDraw, ImageOps
from renditions.catalogue import KINDS, draw, training_digits
from renditions.seen import DOUBTFUL_MOST, Seen, look

from batch_infer.contract import NORMALIZATION_VERSION
from batch_infer.decoding.decode import decode

GOLDEN: Final = Path(__file__).parents[1] / "tests" / "golden"
DOUBTFUL: Final = "doubtful"  # in .expected.txt beside .expected.png: other digits may stand in the picture
SEED: Final = 14
EACH: Final = 3  # pictures of a kind; of the lossless ones 1
CHOICE: Final = 12  # are drawn, and the smallest files of different digits taken
SUFFIXES: Final = {"JPEG": "jpg", "PPM": "pgm"}
SMALL: Final = 5000  # bytes; a PNG above becomes a JPEG
LIBRARIES: Final = ("numpy", "opencv-python-headless", "pillow")  # what the pictures depend on, besides our code


class Case(NamedTuple):
    """One golden picture.

    Attributes:
        path: of the input.
        expected: what `normalize` made of it; None if that was never noted.
        seen: what it makes of it now.
    """

    path: Path
    expected: Seen | None
    seen: Seen

    @property
    def name(self) -> str:
        return f"{self.path.parent.name}/{self.path.stem}"

    @property
    def difference(self) -> int:
        """Greatest difference in gray levels; 256 if what else is expected differs, or nothing is."""
        if self.expected is None or self.expected[1:] != self.seen[1:]:
            return 256
        if self.expected.image is None or self.seen.image is None:
            return 0
        return int(np.abs(self.expected.image.astype(int) - self.seen.image).max())


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", action="store_true", help="draw the inputs of kinds that have none, then --update")
    parser.add_argument("--redraw", action="store_true", help="draw the inputs of all kinds anew, then --update")
    parser.add_argument("--update", action="store_true", help="renew the expected pictures and the manifest")
    parser.add_argument("--unreleased", action="store_true", help="this NORMALIZATION_VERSION is not released yet")
    parser.add_argument("--sheet", type=Path, help="show input, expected and new picture of all that differ, as PNG")
    options = parser.parse_args()
    if options.draw or options.redraw:
        draw_inputs(again=options.redraw)
    found = cases()
    changed = [case for case in found if case.difference]
    known = [case for case in changed if case.expected is not None]
    print(f"{len(found)} golden pictures, {len(changed) - len(known)} new, {len(known)} changed")
    for case in known:
        print(f"  {case.name}: {describe(case)}")
    if options.sheet:
        write_sheet(changed, options.sheet)
    if options.update or options.draw or options.redraw:
        if known and not options.unreleased and made_by() == NORMALIZATION_VERSION:
            print(
                f"The pictures were made by NORMALIZATION_VERSION {NORMALIZATION_VERSION}: increase it in "
                "batch_infer/contract.py, so that --incremental does not reuse old results. Nothing was renewed.",
                file=sys.stderr,
            )
            return 1
        update(found)
    return 0


def draw_inputs(*, again: bool) -> None:
    """Draw pictures of the kinds that have none, or of all."""
    images, labels = training_digits()
    for order, name in enumerate(KINDS):
        folder = GOLDEN / slug(name)
        if folder.exists() and not again:
            continue
        for old in folder.glob("*"):
            old.unlink()
        folder.mkdir(parents=True, exist_ok=True)
        first = CHOICE * order  # other digits for every kind
        each = 1 if name in LOSSLESS else EACH
        drawn = draw(name, images[first:], labels[first:], CHOICE if each > 1 else 1, SEED)
        files = [data if name in LOSSLESS else made_small(data) for data in drawn.files]
        taken: set[str] = set()
        for number in sorted(range(len(files)), key=lambda index: len(files[index])):
            label = f"none{len(taken)}" if KINDS[name].expected == "none" else str(drawn.labels[number])
            if label not in taken and len(taken) < each:
                taken.add(label)
                suffix = SUFFIXES.get(kind := Image.open(io.BytesIO(files[number])).format or "", kind.lower())
                (folder / f"{label[:4]}-{number}.{suffix}").write_bytes(files[number])


def slug(name: str) -> str:
    """Name the folder of a kind."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("×", "x").replace("'", "")).strip("-")


def made_small(data: bytes) -> bytes:
    """Compress a PNG well; as a JPEG where it stays large. Only for kinds that are not about the format."""
    picture = Image.open(io.BytesIO(data))
    if picture.format != "PNG" or picture.mode not in {"1", "L", "RGB"}:
        return data
    buffer = io.BytesIO()
    picture.save(buffer, "PNG", optimize=True)
    if buffer.tell() > SMALL:
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def cases() -> list[Case]:
    """All golden pictures, normalized now, in the order of their names."""
    found = []
    for path in filter(is_input, sorted(GOLDEN.glob("*/*"))):
        try:
            found.append(Case(path, expected(path), look(decode(path.read_bytes()).grey)))
        except Exception as error:
            error.add_note(f"while normalizing {path}")
            raise
    return found


def is_input(path: Path) -> bool:
    """Whether a file of a kind's folder is an input, not what is expected of one."""
    return ".expected" not in path.name and not path.name.startswith(".")


def expected(path: Path) -> Seen | None:
    """What `normalize` once made of an input."""
    picture, refusal = (path.with_suffix(f".expected.{suffix}") for suffix in ("png", "txt"))
    word = refusal.read_text(encoding="utf-8").strip() if refusal.exists() else ""
    if picture.exists():
        return Seen(np.asarray(Image.open(picture).convert("L")), most=DOUBTFUL_MOST if word == DOUBTFUL else 1.0)
    return Seen(None, word) if word else None


def update(found: list[Case]) -> None:
    """Write what differs from the expected pictures, and the manifest."""
    for case in found:
        if case.difference:
            picture, refusal = (case.path.with_suffix(f".expected.{suffix}") for suffix in ("png", "txt"))
            picture.unlink(missing_ok=True)
            refusal.unlink(missing_ok=True)
            if case.seen.image is None:
                refusal.write_text(case.seen.refused + "\n", encoding="utf-8")
            else:
                Image.fromarray(case.seen.image).save(picture, optimize=True)
                if case.seen.most < 1:
                    refusal.write_text(DOUBTFUL + "\n", encoding="utf-8")
    manifest = {
        "normalization_version": NORMALIZATION_VERSION,
        "made_with": {name: version(name) for name in LIBRARIES},
        "sha256": digest(),
    }
    (GOLDEN / "manifest.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")


def digest() -> str:
    """SHA-256 over all inputs and expected results, and their names."""
    whole = hashlib.sha256()
    for path in sorted(GOLDEN.glob("*/*")):
        whole.update(f"{path.parent.name}/{path.name}\n".encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()


def made_by() -> int | None:
    """The NORMALIZATION_VERSION of the expected pictures."""
    path = GOLDEN / "manifest.json"
    return json.loads(path.read_text(encoding="utf-8"))["normalization_version"] if path.exists() else None


def describe(case: Case) -> str:
    """How a picture differs from the expected one."""
    old, new = (
        "new" if one is None else one.refused or ("a digit" if one.most == 1 else DOUBTFUL)
        for one in (case.expected, case.seen)
    )
    return f"{old}, now {new}" if old != new else f"by up to {case.difference} levels"


def write_sheet(shown: list[Case], path: Path) -> None:
    """Write a picture of input, expected and new result of each."""
    cell, name = 84, 250
    columns = 1 + (len(shown) > 40)
    rows = -(-len(shown) // columns) or 1
    sheet = Image.new("RGB", (columns * (name + 3 * cell), rows * cell), "#9ab")
    pen = ImageDraw.Draw(sheet)
    for number, case in enumerate(shown):
        left, top = number // rows * (name + 3 * cell), number % rows * cell
        pen.text((left + 4, top + 20), f"{case.name}\n{describe(case)}", fill="black")
        before = ImageOps.contain(Image.fromarray(decode(case.path.read_bytes()).grey), (cell - 4, cell - 4))
        sheet.paste(before.convert("RGB"), (left + name, top))
        for column, seen in enumerate((case.expected, case.seen), 1):
            if seen is not None and seen.image is not None:
                result = Image.fromarray(seen.image).resize((cell - 4, cell - 4), Image.Resampling.NEAREST)
                sheet.paste(result.convert("RGB"), (left + name + column * cell, top))
    sheet.save(path)


if __name__ == "__main__":
    sys.exit(main())
