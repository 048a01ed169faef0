"""Draw README's strip: input picture → what the model saw → its prediction; or write those pictures as files.

    python scripts/readme_strip.py                     writes scripts/readme_strip.png and prints its description
    python scripts/readme_strip.py --pictures images   writes the pictures, and a damaged one: README's example run

No picture is chosen for its result: column k shows the k-th image of MNIST's test set, changed by `changes.py` with
one fixed seed for every kind.
"""

import argparse
import io
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from changes import CHANGES
from PIL import Image, ImageDraw, ImageFont, ImageOps

from batch_infer.classifier import OnnxClassifier
from batch_infer.decoding.decode import decode
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.normalization.pipeline import normalize

HERE = Path(__file__).parent
STRIP = HERE / "readme_strip.png"
TEST_IMAGES = HERE.parent / "train" / "mnist" / "t10k-images-idx3-ubyte.gz"
SEED = 2024
KINDS = {  # what the strip calls it: the change, and the name of the file
    "pencil": ("pencil 15 %", "pencil.png"),
    "form's box": ("form box", "form-box.png"),
    "photo": ("photo 1200 × 900", "photo.jpg"),
    "chalk on board": ("chalk on board", "chalk.png"),
    "ruled paper": ("ruled paper", "ruled-paper.png"),
    "blue on yellow": ("blue on yellow", "blue-on-yellow.jpg"),
    "church book": ("church book", "church-book.jpg"),
    "hard shadow": ("hard shadow", "hard-shadow.png"),
}
DAMAGED = "cut-off.jpg"  # the first half of the photo's bytes

# Drawn at twice the size at which a code host shows it; all in px of the file.
TILE = 168  # 6 × 28: a pixel that the model saw is a square of 6
GAP = 28
MARGIN = 32
NAME_HEIGHT, ARROW_HEIGHT, ANSWER_HEIGHT = 44, 40, 92
COLOURS = 96  # a palette: half of the bytes
CARD, TEXT, FAINT = "#f3f4f6", "#1f2328", "#59636e"  # a light card of its own: legible on dark and on light pages


class Example(NamedTuple):
    """One column: what it is called, the file's bytes, what the model saw (28, 28), its answer and confidence."""

    name: str
    data: bytes
    seen: npt.NDArray[np.uint8]
    prediction: int
    confidence: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=STRIP, help="where the strip goes (default: beside this script)")
    parser.add_argument("--pictures", type=Path, metavar="FOLDER", help="write the pictures instead of the strip")
    options = parser.parse_args()
    if options.pictures:
        write_pictures(options.pictures)
        return
    shown = examples()
    draw_strip(shown).save(options.out, optimize=True)
    print(description(shown))


def pictures() -> dict[str, bytes]:
    """The encoded pictures by kind: the k-th kind is made of the k-th test image."""
    images = IdxImages(str(TEST_IMAGES)).read_all()[: len(KINDS)]
    return {
        kind: CHANGES[change](image, np.random.default_rng(SEED))
        for (kind, (change, _)), image in zip(KINDS.items(), images, strict=True)
    }


def write_pictures(folder: Path) -> None:
    """Write the pictures as files, and one that is cut off in the middle."""
    folder.mkdir(parents=True, exist_ok=True)
    made = pictures()
    for kind, data in made.items():
        (folder / KINDS[kind][1]).write_bytes(data)
    photo = made["photo"]
    (folder / DAMAGED).write_bytes(photo[: len(photo) // 2])


def examples() -> list[Example]:
    """The columns of the strip, classified by the bundled model as batch-infer does it."""
    made = pictures()
    seen = [normalize(decode(data).grey) for data in made.values()]
    # A picture in which no digit is found would be shown as an empty one: it must not be left out.
    images = np.stack([np.zeros((28, 28), np.uint8) if image is None else image for image in seen])
    probabilities = OnnxClassifier().predict_proba(images)
    return [
        Example(kind, data, image, int(row.argmax()), float(row.max()))
        for (kind, data), image, row in zip(made.items(), images, probabilities, strict=True)
    ]


def description(shown: list[Example]) -> str:
    """The strip in words: the alternative text in README."""
    return "; ".join(f"{example.name}: {example.prediction} ({percent(example.confidence)})" for example in shown)


def percent(confidence: float) -> str:
    """Percent with one decimal, rounded down: 100 % would claim too much."""
    return f"{int(confidence * 1000) / 10} %"


def draw_strip(shown: list[Example]) -> Image.Image:
    width = 2 * MARGIN + len(shown) * TILE + (len(shown) - 1) * GAP
    height = 2 * MARGIN + NAME_HEIGHT + 2 * TILE + ARROW_HEIGHT + ANSWER_HEIGHT
    strip = Image.new("RGB", (width, height), CARD)
    draw = ImageDraw.Draw(strip)
    for number, example in enumerate(shown):
        draw_column(strip, draw, example, MARGIN + number * (TILE + GAP))
    return strip.quantize(COLOURS, Image.Quantize.MEDIANCUT, kmeans=3, dither=Image.Dither.NONE)


def draw_column(strip: Image.Image, draw: ImageDraw.ImageDraw, example: Example, left: int) -> None:
    middle, top = left + TILE // 2, MARGIN
    draw.text((middle, top), example.name, fill=FAINT, font=ImageFont.load_default(23), anchor="ma")
    top += NAME_HEIGHT
    picture = ImageOps.contain(Image.open(io.BytesIO(example.data)).convert("RGB"), (TILE, TILE), Image.Resampling.BOX)
    strip.paste(picture, (left + (TILE - picture.width) // 2, top + (TILE - picture.height) // 2))
    top += TILE
    arrow = top + ARROW_HEIGHT // 2
    draw.line((middle, arrow - 12, middle, arrow + 6), fill=FAINT, width=3)
    draw.polygon(((middle - 8, arrow + 2), (middle + 8, arrow + 2), (middle, arrow + 13)), fill=FAINT)
    top += ARROW_HEIGHT
    strip.paste(Image.fromarray(example.seen).resize((TILE, TILE), Image.Resampling.NEAREST), (left, top))
    top += TILE
    draw.text((middle, top + 10), str(example.prediction), fill=TEXT, font=ImageFont.load_default(50), anchor="ma")
    draw.text((middle, top + 68), percent(example.confidence), fill=FAINT, font=ImageFont.load_default(23), anchor="ma")


if __name__ == "__main__":
    main()
