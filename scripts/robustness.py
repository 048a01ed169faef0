"""Measure robustness: accuracy on MNIST test digits changed in many ways, confidence on pictures that are not digits.

    python scripts/robustness.py [--count 500] [--model FILE …] [--quick] [--sheet sheet.png]

Needs matplotlib (the extra `train`) for the fonts of the letters. These are test images: tune nothing on these numbers.
"""

import argparse
import io
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
from changes import BICUBIC, CHANGES, LOSSLESS, Change, Digit, scaled
from evaluation.shares import auroc
from PIL import Image, ImageDraw, ImageFont, ImageOps

from batch_infer.classifier import OnnxClassifier
from batch_infer.decoding.decode import decode
from batch_infer.inputs.arrays.idx import IdxImages
from batch_infer.inputs.labels.idx_files import read_labels
from batch_infer.normalization.pipeline import normalize

MNIST = Path(__file__).parent.parent / "train" / "mnist"
FONTS = Path(mpl.get_data_path()) / "fonts" / "ttf"
SEED = 2024
SIDE = 84  # px; of the pictures that are not digits, and of the digits compared with them
SHOWN = 4  # pictures of each kind on the contact sheet
# Without the letters that look like handwritten digits (O, I, S, B, Z, G, q, …).
LETTERS = "ACDEFHJKMNPQRTUVWXYabcdefhkmnprtuvwxyÄßΣΨΩЖШЮ"
QUICK = 50


class Row(NamedTuple):
    """One picture on the contact sheet."""

    kind: str
    before: Image.Image
    after: Digit
    text: str
    right: bool


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=500, metavar="N", help="use the first N test images (default 500)")
    parser.add_argument("--model", nargs="+", default=[None], help="ONNX files (default: the bundled model)")
    parser.add_argument("--quick", action="store_true", help=f"{QUICK} images of each kind: a quick check")
    parser.add_argument("--sheet", type=Path, help="write a contact sheet, before → after → prediction, as PNG")
    options = parser.parse_args()
    count = QUICK if options.quick else options.count
    images = IdxImages(str(MNIST / "t10k-images-idx3-ubyte.gz")).read_all()
    labels = read_labels(str(MNIST / "t10k-labels-idx1-ubyte.gz"), len(images))[:count]
    images = images[:count]
    models = dict(map(open_model, options.model))
    shown = [*print_changes(images, labels, models), *print_others(images, models, min(count, 300))]
    if options.sheet:
        write_sheet(shown, options.sheet)
        print(f"\n{options.sheet}: before → after → prediction of {next(iter(models))}, mistakes in red and first")


def open_model(path: str | None) -> tuple[str, OnnxClassifier]:
    classifier = OnnxClassifier(path)
    return ("bundled" if path is None else Path(path).stem), classifier


def print_changes(images: Digit, labels: npt.NDArray[np.int64], models: dict[str, OnnxClassifier]) -> list[Row]:
    """Print the accuracy for each change; return pictures for the contact sheet."""
    print(f"The first {len(images):,} test images, each changed; accuracy after `normalize`, and (plain) after")
    print(
        "Pillow's `convert('L').resize((28, 28))`; for lossless changes how many predictions differ from the original's"
    )
    print(f"\n| change | `no_digit` | {' | '.join(f'{name}, plain | {name} | changed' for name in models)} |")
    print("|---|---|" + "---|---|---|" * len(models))
    original = {name: classifier.predict(images) for name, classifier in models.items()}
    shown = []
    for kind, change in (LOSSLESS | CHANGES).items():
        files = encode_all(change, images)
        normalized = [normalize(decode(data).grey) for data in files]
        stacked, resized = stack(normalized), np.stack([resize_only(data) for data in files])
        cells = [kind, str(sum(image is None for image in normalized))]
        for name, classifier in models.items():
            predictions = np.where([image is None for image in normalized], -1, classifier.predict(stacked))
            cells.append(f"{np.mean(classifier.predict(resized) == labels):.1%}")
            cells.append(f"{np.mean(predictions == labels):.1%}")
            cells.append(str(np.count_nonzero(predictions != original[name])) if kind in LOSSLESS else "")
            if name == next(iter(models)):
                order = np.argsort(predictions != labels, kind="stable")
                picked = [*order[-SHOWN // 2 :].tolist()[::-1], *range(SHOWN // 2)]
                shown += [
                    Row(
                        kind,
                        open_picture(files[index]),
                        stacked[index],
                        f"{labels[index]}→{predictions[index] if predictions[index] >= 0 else '∅'}",
                        bool(predictions[index] == labels[index]),
                    )
                    for index in picked
                ]
        print(f"| {' | '.join(cells)} |", flush=True)
    return shown


def encode_all(change: Change, images: Digit) -> list[bytes]:
    rng = np.random.default_rng(SEED)
    return [change(image, rng) for image in images]


def resize_only(data: bytes) -> Digit:
    """Decode and resize with Pillow alone, as most tutorials do."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("L").resize((28, 28), Image.Resampling.BILINEAR))


def open_picture(data: bytes) -> Image.Image:
    """Open a picture to show it; Pillow would clip 16 bits to white."""
    image = Image.open(io.BytesIO(data))
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if image.mode == "I;16" else image


def stack(images: Iterable[Digit | None]) -> Digit:
    return np.stack([np.zeros((28, 28), np.uint8) if image is None else image for image in images])


def print_others(images: Digit, models: dict[str, OnnxClassifier], count: int) -> list[Row]:
    """Print how well confidence separates digits from other pictures; return pictures for the contact sheet."""
    rng = np.random.default_rng(SEED)
    kinds = {maker.__name__: [maker(rng) for _ in range(count)] for maker in (letters, scribbles, noise, shapes)}
    normalized = {kind: [normalize(np.asarray(picture)) for picture in pictures] for kind, pictures in kinds.items()}
    digits = [normalize(255 - scaled(image, SIDE)) for image in images]
    print(f"\nAUROC of confidence, {len(digits)} digits at {SIDE} px against {count} of each kind (`no_digit`: 0)")
    print(f"\n| kind | `no_digit` | {' | '.join(models)} |")
    print("|---|---|" + "---|" * len(models))
    on_digits = {name: confidence(classifier, digits) for name, classifier in models.items()}
    on_others = {
        name: {kind: confidence(classifier, found) for kind, found in normalized.items()}
        for name, classifier in models.items()
    }
    for kind, found in normalized.items():
        cells = [f"{auroc(on_digits[name], on_others[name][kind]):.3f}" for name in models]
        print(f"| {kind} | {sum(image is None for image in found)} of {count} | {' | '.join(cells)} |")
    cells = [f"{auroc(on_digits[name], np.concatenate(list(on_others[name].values()))):.3f}" for name in models]
    none = sum(image is None for found in normalized.values() for image in found)
    print(f"| all | {none} of {count * len(kinds)} | {' | '.join(cells)} |")
    first = next(iter(models))
    return [
        Row(kind, kinds[kind][index], stack(normalized[kind][index : index + 1])[0], f"{value:.2f}", value < 0.5)
        for kind in kinds
        for index, value in enumerate(on_others[first][kind][:SHOWN].tolist())
    ]


def confidence(classifier: OnnxClassifier, images: list[Digit | None]) -> npt.NDArray[np.float32]:
    """The highest probability of each image; 0 where normalization found nothing, so that there is no prediction."""
    highest = classifier.predict_proba(stack(images)).max(1)
    return np.where([image is None for image in images], np.float32(0), highest)


def letters(rng: np.random.Generator) -> Image.Image:
    """One letter in one of matplotlib's DejaVu fonts, rotated a little."""
    fonts = sorted(
        path for path in Path(mpl.get_data_path()).glob("fonts/ttf/DejaVu*.ttf") if "Display" not in path.name
    )
    font = ImageFont.truetype(str(fonts[int(rng.integers(len(fonts)))]), int(rng.integers(36, 64)))
    picture = Image.new("L", (SIDE, SIDE), 255)
    letter = LETTERS[int(rng.integers(len(LETTERS)))]
    ImageDraw.Draw(picture).text((SIDE // 2, SIDE // 2), letter, fill=0, font=font, anchor="mm")
    return picture.rotate(float(rng.uniform(-10, 10)), BICUBIC, fillcolor=255)


def scribbles(rng: np.random.Generator) -> Image.Image:
    """A smooth random walk of a pen."""
    picture = Image.new("L", (SIDE, SIDE), 255)
    knots = rng.uniform(10, SIDE - 10, (int(rng.integers(6, 14)), 2))
    steps = np.linspace(0, len(knots) - 1, 200)
    window = np.hanning(15) / np.hanning(15).sum()
    x, y = (np.convolve(np.interp(steps, np.arange(len(knots)), axis), window, mode="valid") for axis in knots.T)
    path = list(zip(x.tolist(), y.tolist(), strict=True))
    ImageDraw.Draw(picture).line(path, fill=0, width=int(rng.integers(3, 7)))
    return picture


def noise(rng: np.random.Generator) -> Image.Image:
    """Coarse or fine noise, smooth or in squares."""
    cells = int(rng.choice([7, 14, 28, SIDE]))
    values = rng.integers(0, 256, (cells, cells), dtype=np.uint8)
    return Image.fromarray(values).resize((SIDE, SIDE), BICUBIC if rng.random() < 0.5 else Image.Resampling.NEAREST)


def shapes(rng: np.random.Generator) -> Image.Image:
    """A filled or an open polygon, or a grid of lines."""
    picture = Image.new("L", (SIDE, SIDE), 255)
    draw = ImageDraw.Draw(picture)
    points = [(float(x), float(y)) for x, y in rng.uniform(12, SIDE - 12, (int(rng.integers(3, 7)), 2))]
    kind = int(rng.integers(3))
    if kind < 2:
        draw.polygon(points, fill=0 if kind == 0 else None, outline=0, width=4)
    for x, y in points if kind == 2 else ():
        draw.line((x, 12, x, SIDE - 12), fill=0, width=4)
        draw.line((12, y, SIDE - 12, y), fill=0, width=4)
    return picture


def write_sheet(rows: list[Row], path: Path) -> None:
    """Write a contact sheet: for each kind, SHOWN pairs before → after with the prediction; kinds in two columns."""
    cell, name, line = 60, 150, 76
    kinds = list(dict.fromkeys(row.kind for row in rows))
    half, width = -(-len(kinds) // 2), name + SHOWN * (2 * cell + 12)
    sheet = Image.new("RGB", (2 * width, half * line), "white")
    draw = ImageDraw.Draw(sheet)
    draw.font = ImageFont.truetype(str(FONTS / "DejaVuSans.ttf"), 11)
    places = dict.fromkeys(kinds, 0)
    for row in rows:
        number = kinds.index(row.kind)
        left, top = number // half * width, number % half * line
        draw.text((left + 4, top + 20), row.kind, fill="black")
        left += name + places[row.kind] * (2 * cell + 12)
        places[row.kind] += 1
        before = ImageOps.contain(row.before.convert("RGBA"), (cell, cell), Image.Resampling.BOX)
        backed = Image.new("RGBA", before.size, "#9ab")  # transparent parts show as blue
        backed.alpha_composite(before)
        sheet.paste(backed.convert("RGB"), (left, top))
        sheet.paste(Image.fromarray(row.after).resize((cell, cell), Image.Resampling.NEAREST), (left + cell + 2, top))
        draw.text((left + cell - 10, top + cell), row.text, fill="black" if row.right else "red")
    sheet.save(path)


if __name__ == "__main__":
    main()
