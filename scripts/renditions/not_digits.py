"""Pictures of no digit, of several and of none, for measuring what confidence means off MNIST."""

from collections.abc import Callable
from pathlib import Path
from typing import Final

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from changes import BICUBIC, Digit, saved
from PIL import Image, ImageDraw, ImageFont
from renditions.catalogue import KINDS, draw
from robustness import SIDE, noise, scribbles, shapes

# Without the letters that look like handwritten digits: O, I, S, B, Z, o, l, s, g, q and others.
LETTERS: Final = "ACDEFHJKMNPQRTUVWXYabcdefhkmnprtuvwxy"
# DejaVu, STIX (Times), and TeX's Computer Modern; not the fonts of mathematical signs, nor those with gaps.
FONTS: Final = (
    "DejaVuSans*", "DejaVuSerif*", "STIXGeneral*", "cmr10*", "cmb10*", "cmss10*", "cmti10*", "cmtt10*",
)  # fmt: skip
Maker = Callable[[np.random.Generator], Image.Image]


def fonts() -> list[Path]:
    """The fonts that come with matplotlib, those that have all the letters; no training image was made of a font."""
    folder = Path(mpl.get_data_path()) / "fonts" / "ttf"
    return sorted(path for name in FONTS for path in folder.glob(f"{name}.ttf") if "Display" not in path.name)


def letter(rng: np.random.Generator) -> Image.Image:
    """One letter, rotated a little."""
    paths = fonts()
    font = ImageFont.truetype(str(paths[int(rng.integers(len(paths)))]), int(rng.integers(36, 64)))
    picture = Image.new("L", (SIDE, SIDE), 255)
    shown = LETTERS[int(rng.integers(len(LETTERS)))]
    ImageDraw.Draw(picture).text((SIDE // 2, SIDE // 2), shown, fill=0, font=font, anchor="mm")
    return picture.rotate(float(rng.uniform(-10, 10)), BICUBIC, fillcolor=255)


DRAWN: Final[dict[str, Maker]] = {
    "letters in fonts": letter, "scribbles": scribbles, "noise": noise, "shapes": shapes,
}  # fmt: skip
BY_GROUP: Final = {"several digits": "several: ", "empty paper": "empty: "}


def not_digits(images: Digit, labels: npt.NDArray[np.int64], count: int, seed: int) -> dict[str, list[bytes]]:
    """Draw `count` encoded pictures of each of six kinds.

    Args:
        images: (N, 28, 28) digits, for the pictures of several.
        labels: (N,) theirs.
        count: how many pictures of each kind.
        seed: the same seed gives the same pictures.
    """
    rng = np.random.default_rng(seed)
    drawn = {kind: [saved(make(rng)) for _ in range(count)] for kind, make in DRAWN.items()}
    for kind, prefix in BY_GROUP.items():
        names = [name for name in KINDS if name.startswith(prefix)]
        each = [draw(name, images, labels, -(-count // len(names)), seed).files for name in names]
        drawn[kind] = [file for files in zip(*each, strict=True) for file in files][:count]
    return drawn
