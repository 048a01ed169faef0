"""Turns MNIST digits into realistic pictures: encoded files, by the name of the change."""

import io
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter

Digit = npt.NDArray[np.uint8]  # (H, W), light ink on black
Floats = npt.NDArray[np.floating[Any]]
Change = Callable[[Digit, np.random.Generator], bytes]
BICUBIC: Final = Image.Resampling.BICUBIC
UNDO: Final = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}  # EXIF orientation → the Image.Transpose that it undoes


def saved(image: Image.Image | npt.NDArray[Any], kind: str = "PNG", **options: Any) -> bytes:
    buffer = io.BytesIO()
    if kind == "PNG":
        options["compress_level"] = 1  # a noisy image takes longer to compress than to make
    (image if isinstance(image, Image.Image) else Image.fromarray(image)).save(buffer, kind, **options)
    return buffer.getvalue()


def scaled(digit: Digit, side: int) -> Digit:
    """Scale smoothly so that the height is `side` px."""
    return np.asarray(Image.fromarray(digit).resize((side * digit.shape[1] // digit.shape[0], side), BICUBIC))


def hard(digit: Digit, side: int) -> Digit:
    """Enlarge with sharp edges, as a pen or a mouse draws: about one pixel of transition."""
    big = np.asarray(Image.fromarray(scaled(digit, side)).filter(ImageFilter.GaussianBlur(side / 90)), np.float32)
    return grey((big - 110) * 8 + 127)


def grey(values: Floats) -> Digit:
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)


def cropped(digit: Digit, margin: int = 0) -> Digit:
    """Crop to the ink."""
    rows, columns = np.flatnonzero(digit.max(1) > 100), np.flatnonzero(digit.max(0) > 100)
    top, left = max(rows[0] - margin, 0), max(columns[0] - margin, 0)
    return digit[top : rows[-1] + 1 + margin, left : columns[-1] + 1 + margin]


def widened(digit: Digit, change: float) -> Digit:
    """Widen strokes by `change` px of the 28 on either side (narrow them for a negative number)."""
    picture = Image.fromarray(hard(digit, 280))
    pen = ImageFilter.MaxFilter(3) if change > 0 else ImageFilter.MinFilter(3)
    for _ in range(round(abs(change) * 10)):
        picture = picture.filter(pen)
    return np.asarray(picture)


def paper(height: int, width: int, rng: np.random.Generator, *, slope: float = 50, grain: float = 4) -> Floats:
    """Paper (H, W) under a lamp at one side: a gradient, a coarse texture and sensor noise."""
    y, x = np.linspace(-0.5, 0.5, height)[:, None], np.linspace(-0.5, 0.5, width)
    angle = rng.uniform(0, 2 * np.pi)
    light = slope * (x * np.cos(angle) + y * np.sin(angle)) - slope / 2 * (x * x + y * y)
    coarse = rng.normal(0, 1, (max(height // 8, 2), max(width // 8, 2))).astype(np.float32)
    texture = np.asarray(Image.fromarray(coarse).resize((width, height), BICUBIC))
    return 205 + light + grain * (texture * 0.6 + rng.standard_normal((height, width), np.float32))


def written(
    digit: Digit,
    rng: np.random.Generator,
    *,
    size: tuple[int, int] = (0, 0),
    sheet: tuple[int, int] = (0, 0),
    contrast: float = 0.7,
    slope: float = 50,
    grain: float = 4,
) -> Floats:
    """Write a digit on a sheet at a random place.

    Args:
        digit: the digit.
        rng: source of randomness.
        size: least and greatest side of the digit's picture in px; (0, 0): 30 to 95 % of the sheet's.
        sheet: height and width in px; (0, 0): each 120 to 420.
        contrast: share of the light that full ink absorbs.
        slope: gray levels from one side of the sheet to the other.
        grain: standard deviation of the noise in levels.

    Returns:
        (H, W) float gray levels, dark ink.
    """
    height, width = sheet if sheet[0] else (int(rng.integers(120, 420)), int(rng.integers(120, 420)))
    levels = paper(height, width, rng, slope=slope, grain=grain)
    least, most = size if size[0] else (int(0.3 * min(height, width)), int(0.95 * min(height, width)))
    side = int(rng.integers(least, most))
    top, left = int(rng.integers(0, height - side + 1)), int(rng.integers(0, width - side + 1))
    levels[top : top + side, left : left + side] *= 1 - contrast * (scaled(digit, side) / 255.0)
    return levels


def colored(digit: Digit, rng: np.random.Generator, pen: tuple[int, ...], sheet: tuple[int, ...]) -> bytes:
    """Write with a pen of one color on paper of another, as a JPEG."""
    ink = (scaled(digit, 150) / 255.0)[..., None]
    light = paper(150, 150, rng, slope=40) / 205
    return saved(grey((ink * np.array(pen) + (1 - ink) * np.array(sheet)) * light[..., None]), "JPEG", quality=75)


def rotated_by_exif(digit: Digit, rng: np.random.Generator) -> bytes:
    """Store the digit rotated or mirrored, with the EXIF orientation that undoes it."""
    orientation = int(rng.integers(2, 9))
    tags = Image.Exif()
    tags[0x0112] = orientation
    return saved(Image.fromarray(digit).transpose(Image.Transpose(UNDO[orientation])), exif=tags.tobytes())


def palette(digit: Digit, rng: np.random.Generator) -> bytes:
    """Store as indices into a shuffled palette."""
    order = rng.permutation(256)
    table = np.zeros((256, 3), np.uint8)
    table[order] = np.arange(256, dtype=np.uint8)[:, None]
    picture = Image.frombytes("P", digit.shape[::-1], order[digit].astype(np.uint8).tobytes())
    picture.putpalette(table.tobytes())
    return saved(picture)


def in_alpha(digit: Digit, level: int, most: int = 255) -> bytes:
    """A drawing of one color, kept in the alpha channel alone."""
    alpha = Image.fromarray((digit.astype(np.uint16) * most // 255).astype(np.uint8))
    return saved(Image.merge("LA", (Image.new("L", alpha.size, level), alpha)).convert("RGBA"))


def framed(digit: Digit, rng: np.random.Generator, side: int, *, sides: int = 4, inset: float = 0.0) -> bytes:
    """Draw frame lines at some sides of a dark-ink digit, `inset` of the side away from the edge."""
    sheet = Image.fromarray(grey(paper(side, side, rng, slope=20, grain=2) * (1 - 0.8 * scaled(digit, side) / 255.0)))
    draw = ImageDraw.Draw(sheet)
    near, width = int(inset * side), max(1, round(0.02 * side))
    far = side - 1 - near
    lines = (
        (near, near, far, near + width - 1),
        (near, far - width + 1, far, far),
        (near, near, near + width - 1, far),
        (far - width + 1, near, far, far),
    )
    for index in rng.permutation(4)[:sides].tolist():
        draw.rectangle(lines[index], fill=40)
    return saved(sheet)


def ruled(digit: Digit, rng: np.random.Generator, *, squares: bool) -> bytes:
    """Write on ruled or squared paper, its lines fainter than the pen."""
    sheet = written(digit, rng, contrast=0.75, slope=20, grain=2, sheet=(300, 300), size=(120, 240))
    step, start = int(rng.integers(30, 60)), int(rng.integers(0, 30))
    sheet[start::step] *= 0.78
    if squares:
        sheet[:, start::step] *= 0.78
    return saved(grey(sheet))


def shaded(digit: Digit, rng: np.random.Generator) -> bytes:
    """Throw a hard-edged shadow across the sheet: it absorbs 40 % of the light."""
    sheet = written(digit, rng, sheet=(300, 300), size=(110, 260))
    y, x = np.mgrid[-150:150, -150:150]
    angle = rng.uniform(0, 2 * np.pi)
    dark = Image.fromarray((x * np.cos(angle) + y * np.sin(angle)) > rng.uniform(-90, 90)).convert("L")
    soft = np.asarray(dark.filter(ImageFilter.GaussianBlur(float(rng.uniform(1, 8))))) / 255.0
    return saved(grey(sheet * (1 - 0.4 * soft)))


def beside_another(digit: Digit, rng: np.random.Generator) -> bytes:
    """Show a fragment of the next digit at the right: a stroke or two."""
    neighbors = (digit, digit[::-1], digit[:, ::-1], digit.T)
    line = np.hstack(
        (np.zeros((28, 2), np.uint8), digit, neighbors[int(rng.integers(4))][:, : int(rng.integers(5, 9))])
    )
    part = scaled(line, 224)
    return saved(grey(paper(*part.shape, rng, slope=30, grain=3) * (1 - 0.75 * part / 255.0)))


def dusty(digit: Digit, rng: np.random.Generator) -> bytes:
    """Put dust on the glass."""
    sheet = Image.fromarray(grey(written(digit, rng, sheet=(260, 260), size=(120, 240))))
    draw = ImageDraw.Draw(sheet)
    for _ in range(40):
        x, y, radius = rng.uniform(0, 260), rng.uniform(0, 260), rng.uniform(0.5, 2.5)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(rng.integers(30, 150)))
    return saved(sheet)


def stained(digit: Digit, rng: np.random.Generator) -> bytes:
    """Write with iron-gall ink on yellowed paper with brown stains, as in a church book."""
    ink = written(digit, rng, sheet=(220, 180), size=(100, 175), slope=0, grain=0) / 205
    stain = Image.new("L", (180, 220), 0)
    draw = ImageDraw.Draw(stain)
    for _ in range(5):
        x, y, radius = rng.uniform(0, 180), rng.uniform(0, 220), rng.uniform(15, 60)
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=int(rng.integers(20, 90)))
    blot = (np.asarray(stain.filter(ImageFilter.GaussianBlur(9))) / 255.0)[..., None]
    light = (paper(220, 180, rng, slope=30, grain=6) / 205)[..., None]
    dark = np.clip((1 - ink) / 0.7, 0, 1)[..., None]
    sheet = np.array((225, 200, 150)) * (1 - 0.45 * blot) * light
    return saved(grey(sheet * (1 - dark) + dark * np.array((95, 70, 45))), "JPEG", quality=70)


def bilevel(digit: Digit, side: int) -> bytes:
    """Crop to the ink, stretch to a square, one bit: as some old collections are stored."""
    part = cropped(digit)
    lack = max(part.shape[0] * 3 // 5 - part.shape[1], 0)  # no collection stretches a single stroke to a square
    part = np.pad(part, ((0, 0), (lack // 2, lack - lack // 2)))
    return saved(np.asarray(Image.fromarray(part).resize((side, side), Image.Resampling.BOX)) <= 100)


def photo(digit: Digit, rng: np.random.Generator) -> bytes:
    """A large photo: uneven light, blur, noise, a digit somewhere, JPEG."""
    sheet = written(digit, rng, sheet=(900, 1200), size=(150, 700), contrast=0.55, slope=90, grain=6)
    return saved(Image.fromarray(grey(sheet)).filter(ImageFilter.GaussianBlur(1.5)), "JPEG", quality=75)


def blurred(digit: Digit, rng: np.random.Generator) -> bytes:  # noqa: ARG001 - every change has the same arguments
    return saved(Image.fromarray(255 - scaled(digit, 112)).filter(ImageFilter.GaussianBlur(4)))


def rotated(digit: Digit, rng: np.random.Generator) -> bytes:
    """Rotate by up to 15 degrees either way."""
    return saved(255 - np.asarray(Image.fromarray(scaled(digit, 112)).rotate(float(rng.uniform(-15, 15)), BICUBIC)))


def half(digit: Digit, rng: np.random.Generator) -> bytes:  # noqa: ARG001
    return saved(Image.fromarray(digit).resize((14, 14), Image.Resampling.BOX))


def tiny(digit: Digit, rng: np.random.Generator) -> bytes:  # noqa: ARG001
    return saved(Image.fromarray(255 - cropped(digit, 1)).resize((8, 8), Image.Resampling.BOX))


# Lossless: the gray levels are unchanged, so no prediction may change.
LOSSLESS: Final[dict[str, Change]] = {
    "as it is": lambda digit, _: saved(digit),
    "inverted": lambda digit, _: saved(255 - digit),
    "RGB": lambda digit, _: saved(Image.fromarray(digit).convert("RGB")),
    "RGBA": lambda digit, _: saved(Image.fromarray(digit).convert("RGBA")),
    "palette": palette,
    "LA": lambda digit, _: saved(Image.fromarray(digit).convert("LA")),
    "16 bit × 257": lambda digit, _: saved(digit.astype(np.uint16) * np.uint16(257)),
    "16 bit × 256": lambda digit, _: saved(digit.astype(np.uint16) * np.uint16(256)),
    "16 bit inverted": lambda digit, _: saved((255 - digit).astype(np.uint16) * np.uint16(257)),
    "EXIF 2–8": rotated_by_exif,
    "BMP": lambda digit, _: saved(digit, "BMP"),
    "GIF": lambda digit, _: saved(255 - digit, "GIF"),
    "PGM": lambda digit, _: saved(digit, "PPM"),
    "WebP lossless": lambda digit, _: saved(Image.fromarray(255 - digit).convert("RGB"), "WEBP", lossless=True),
    "white on transparent": lambda digit, _: in_alpha(digit, 255),
    "black on transparent": lambda digit, _: in_alpha(digit, 0),
}
CHANGES: Final[dict[str, Change]] = {
    "× 0.5": half,
    "× 4": lambda digit, _: saved(scaled(digit, 112)),
    "× 4 nearest": lambda digit, _: saved(np.kron(255 - digit, np.ones((4, 4), np.uint8))),
    "on paper": lambda digit, rng: saved(grey(written(digit, rng))),
    "blur": blurred,
    "JPEG 40, 28 px": lambda digit, _: saved(255 - digit, "JPEG", quality=40),
    "JPEG 40, 112 px": lambda digit, _: saved(255 - scaled(digit, 112), "JPEG", quality=40),
    "frame line, 28 px": lambda digit, _: saved(np.pad(255 - digit[1:-1, 1:-1], 1)),
    "frame line, 140 px": lambda digit, rng: framed(digit, rng, 140),
    "pencil 15 %": lambda digit, rng: saved(grey(written(digit, rng, contrast=0.15, slope=20, grain=2))),
    "crop to ink": lambda digit, _: saved(255 - cropped(digit)),
    "rotated ± 15°": rotated,
    "contrast 15 %, 28 px": lambda digit, _: saved(grey(210 - digit * 0.15)),
    "crop to ink × 5": lambda digit, _: saved(cropped(hard(digit, 140))),
    "semi-transparent": lambda digit, _: in_alpha(scaled(digit, 90), 30, 110),
    "frame, some sides": lambda digit, rng: framed(digit, rng, 200, sides=int(rng.integers(1, 4))),
    "form box": lambda digit, rng: framed(np.pad(digit, 8), rng, 220, inset=0.1),
    "thick pen": lambda digit, _: saved(255 - widened(digit, 0.7)),
    "thin pen": lambda digit, _: saved(255 - widened(digit, -0.3)),
    "mouse, 280 px": lambda digit, _: saved(hard(digit, 280)),
    "mouse thin, 280 px": lambda digit, _: saved(widened(digit, -0.4)),
    "one bit, 16 px stretched": lambda digit, _: bilevel(digit, 16),
    "one bit, 32 px stretched": lambda digit, _: bilevel(digit, 32),
    "ruled paper": lambda digit, rng: ruled(digit, rng, squares=False),
    "squared paper": lambda digit, rng: ruled(digit, rng, squares=True),
    "hard shadow": shaded,
    "specks": dusty,
    "neighbour's fragment": beside_another,
    "blue on yellow": lambda digit, rng: colored(digit, rng, (50, 60, 190), (240, 225, 110)),
    "red on white": lambda digit, rng: colored(digit, rng, (220, 60, 50), (245, 245, 240)),
    "red on green, equal luma": lambda digit, rng: colored(digit, rng, (220, 90, 90), (80, 155, 90)),
    "chalk on board": lambda digit, rng: saved(255 - grey(written(digit, rng, contrast=0.6, slope=40, grain=6))),
    "church book": stained,
    "photo 1200 × 900": photo,
    "tiny on a large sheet": lambda digit, rng: saved(
        grey(written(digit, rng, sheet=(800, 1000), size=(60, 61), slope=60))
    ),
    "8 px": tiny,
}
