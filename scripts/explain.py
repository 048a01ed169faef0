"""Show what the normalization makes of a picture, step by step, and what the model says of the result.

    python scripts/explain.py digit.jpg [--out steps.png] [--model FILE]

Writes one PNG with the picture of every step side by side, each with its name and size; the last one is the 28×28
image that the model sees, with its answer.
"""

import argparse
import sys
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from renditions.seen import Seen, look

from batch_infer.classifier import OnnxClassifier
from batch_infer.decoding.decode import decode
from batch_infer.decoding.read import read_file
from batch_infer.errors import ImageError, MnistLogisticError

SIDE: Final = 168  # px; the longer side of a step's picture
GAP: Final = 14
TEXT: Final = 13  # px
IN_A_ROW: Final = 6


class Step(NamedTuple):
    """One step: its name, and its picture (H, W) uint8 or bool."""

    name: str
    picture: npt.NDArray[np.generic]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("picture", type=Path, help="an image file")
    parser.add_argument("--out", type=Path, default=Path("steps.png"), help="PNG to write (default steps.png)")
    parser.add_argument("--model", help="ONNX file (default: the bundled model)")
    options = parser.parse_args()
    try:
        steps, answer = explain(options.picture, OnnxClassifier(options.model))
        lay_out(steps, answer).save(options.out, "PNG")
    except ImageError as error:
        return _fail(f"{options.picture}: {error.code} ({error.detail})")
    except MnistLogisticError as error:
        return _fail(str(error))
    except OSError as error:
        return _fail(f"{error.filename or options.out}: {error.strerror or error}")
    print(f"{options.picture}: {answer}; {len(steps)} steps in {options.out}")
    return 0


def explain(path: Path, classifier: OnnxClassifier) -> tuple[list[Step], str]:
    """Normalize and classify a file.

    Args:
        path: of the image file.
        classifier: the model.

    Returns:
        The steps, the first one is the decoded picture, and the answer: a digit with its confidence, or a refusal.

    Raises:
        ImageError: the file cannot be read or decoded.
    """
    grey = decode(read_file(str(path))).grey
    steps = [Step("decoded", np.array(grey))]

    def note(name: str, picture: npt.NDArray[np.generic]) -> None:
        steps.append(Step(name, np.array(picture)))  # a copy: the pipeline may go on in the same array

    seen = look(grey, note)
    if seen.image is not None:
        if np.array_equal(steps[-1].picture, seen.image):
            steps.pop()  # the last step is the result itself
        steps.append(Step("what the model sees", seen.image))
    return steps, _answer(seen, classifier)


def _answer(seen: Seen, classifier: OnnxClassifier) -> str:
    if seen.image is None:
        return seen.refused
    probabilities = classifier.predict_proba(seen.image[None])[0]
    return f"{probabilities.argmax()}, confidence {min(float(probabilities.max()), seen.most):.6f}"


def lay_out(steps: list[Step], answer: str) -> Image.Image:
    """Lay the pictures of all steps side by side in rows, names below, and the answer under the last one."""
    font = ImageFont.load_default(TEXT)
    pictures = [_shown(step.picture) for step in steps]
    texts = [f"{step.name}\n{step.picture.shape[1]} x {step.picture.shape[0]} px" for step in steps]
    texts[-1] += f"\n{answer}"
    measure = ImageDraw.Draw(Image.new("L", (1, 1)))
    widths = [
        max(picture.width, int(measure.multiline_textbbox((0, 0), text, font=font)[2])) + GAP
        for picture, text in zip(pictures, texts, strict=True)
    ]
    rows = [range(start, min(start + IN_A_ROW, len(steps))) for start in range(0, len(steps), IN_A_ROW)]
    high = SIDE + 4 * (TEXT + 4) + GAP
    sheet = Image.new("RGB", (GAP + max(sum(widths[cell] for cell in row) for row in rows), high * len(rows)), "#9ab")
    draw = ImageDraw.Draw(sheet)
    for number, row in enumerate(rows):
        left = GAP
        for cell in row:
            sheet.paste(pictures[cell], (left, number * high + GAP))
            draw.multiline_text((left, number * high + GAP + SIDE + 2), texts[cell], fill="black", font=font)
            left += widths[cell]
    return sheet


def _shown(picture: npt.NDArray[np.generic]) -> Image.Image:
    """Bring a step's picture to SIDE: enlarged in squares, or reduced by averaging."""
    levels = picture * np.uint8(255) if picture.dtype == np.bool_ else np.clip(picture, 0, 255).astype(np.uint8)
    scale = SIDE / max(levels.shape)
    size = tuple(max(1, round(length * scale)) for length in levels.shape[::-1])
    way = Image.Resampling.NEAREST if scale > 1 else Image.Resampling.BOX
    return Image.fromarray(levels).resize(size, way)


def _fail(message: str) -> int:
    print(f"explain.py: {message}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
