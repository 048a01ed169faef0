"""A digit on a panel: plots of images with axes, drawing windows and canvases, photos of a screen."""

from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
from changes import BICUBIC, Digit, grey, saved
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from renditions.drawing import Digits, Kind, put

Color = tuple[int, int, int]
# Anchors of a map from dark violet over green to yellow, and of one from black over red to light yellow.
MAPS: Final = {
    "violet": ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)),
    "fire": ((0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)),
    "gray": ((0, 0, 0), (255, 255, 255)),
    "light": ((255, 255, 255), (0, 0, 0)),
}
TITLES: Final = ("sample", "train image", "input", "label: ?", "digit", "x_test[i]")


def mapped(digit: Digit, name: str) -> Digit:
    """Show gray levels in the colors of a map: (H, W, 3)."""
    anchors = np.array(MAPS[name], np.float32)
    at = np.linspace(0, 255, len(anchors))
    return np.stack([np.interp(digit, at, anchors[:, channel]) for channel in range(3)], -1).round().astype(np.uint8)


def enlarged(digit: Digit, side: int, rng: np.random.Generator) -> Image.Image:
    """Enlarge in squares as plots show images, or smoothly."""
    way = Image.Resampling.NEAREST if rng.random() < 0.6 else BICUBIC
    return Image.fromarray(digit).resize((side, side), way)


def plot(
    digits: Digits, rng: np.random.Generator, *, colors: tuple[str, ...], axes: bool, page: Color = (255, 255, 255)
) -> bytes:
    """Show the digit as an image plot, with or without axes, ticks and a title."""
    side = int(rng.integers(50, 300))
    image = Image.fromarray(mapped(np.asarray(enlarged(digits[0], side, rng)), colors[int(rng.integers(len(colors)))]))
    around = (0.39, 0.16, 0.34, 0.14) if rng.random() < 0.5 else rng.uniform(0.1, 0.35, 4)  # a usual figure, or tight
    left, top, right, bottom = np.round(np.array(around) * side).astype(int).tolist()
    picture = Image.new("RGB", (left + side + right, top + side + bottom), page)
    picture.paste(image, (left, top))
    if axes:
        draw = ImageDraw.Draw(picture)
        draw.font = ImageFont.load_default(max(7.0, side * 0.05))
        text = (0, 0, 0) if sum(page) > 380 else (235, 235, 235)
        draw.rectangle((left - 1, top - 1, left + side, top + side), outline=text)
        tick = max(2, side // 70)
        for value in (0, 5, 10, 15, 20, 25):
            at = round((value + 0.5) / 28 * side)
            draw.line((left + at, top + side, left + at, top + side + tick), fill=text)
            draw.text((left + at, top + side + tick + 1), str(value), fill=text, anchor="ma")
            draw.line((left - 1 - tick, top + at, left - 1, top + at), fill=text)
            draw.text((left - tick - 3, top + at), str(value), fill=text, anchor="rm")
        if rng.random() < 0.6:
            title = TITLES[int(rng.integers(len(TITLES)))]
            draw.text((left + side // 2, top - 3), title, fill=text, anchor="mb")
    return saved(picture)


def plots(digits: Digits, rng: np.random.Generator) -> bytes:
    """Show two to six digits as panels of one figure, each with a title or none, in one or two rows."""
    side = int(rng.integers(32, 120))
    colors = ("gray", "gray", "violet", "light")[int(rng.integers(4))]
    titled = rng.random() < 0.5
    across, down = round(side * rng.uniform(1.08, 1.5)), round(side * (1.35 if titled else rng.uniform(1.08, 1.3)))
    wide = len(digits) if rng.random() < 0.5 else -(-len(digits) // 2)
    picture = Image.new("RGB", (wide * across + across // 4, -(-len(digits) // wide) * down + down // 4), "white")
    draw = ImageDraw.Draw(picture)
    draw.font = ImageFont.load_default(max(7.0, side * 0.16))
    for number, digit in enumerate(digits):
        left, top = number % wide * across + across // 6, number // wide * down + round(down * (0.3 if titled else 0.1))
        picture.paste(Image.fromarray(mapped(np.asarray(enlarged(digit, side, rng)), colors)), (left, top))
        if titled:
            draw.text((left + side // 2, top - 2), f"no. {number}", fill="black", anchor="mb")
    return saved(picture)


def canvas(
    digits: Digits,
    rng: np.random.Generator,
    *,
    light_panel: bool,
    sides: tuple[int, int] = (80, 260),
    page: tuple[float, float] = (1.15, 2),
    full: bool = False,
) -> bytes:
    """Draw on a canvas on a page of the other brightness.

    Args:
        digits: the first one is drawn.
        rng: source of randomness.
        light_panel: dark ink on a light canvas on a dark page, instead of the other way round.
        sides: least and greatest side of the canvas in px.
        page: least and greatest size of the page in sides of the canvas.
        full: the digit's frame fills the canvas; otherwise half to all of it.
    """
    side = int(rng.integers(*sides))
    dark, light = rng.uniform(0, 40), rng.uniform(205, 255)
    ground, ink = (light, dark) if light_panel else (dark, rng.uniform(150, 255))
    around = (dark if light_panel else light) + rng.uniform(-12, 12)
    levels = np.full(tuple(int(side * rng.uniform(*page)) for _ in range(2)), around, np.float32)
    drawn = np.asarray(enlarged(digits[0], side if full else round(side * rng.uniform(0.5, 1)), rng), np.float32) / 255
    panel = np.zeros((side, side), np.float32)
    put(panel, drawn, *rng.integers(0, side - drawn.shape[0] + 1, 2).tolist())
    top, left = (int(rng.integers(0, length - side + 1)) for length in levels.shape)
    if rng.random() < 0.2:
        top = left = 0  # in a corner
    levels[top : top + side, left : left + side] = ground + (ink - ground) * panel
    return saved(grey(levels))


def window(digit: Digit, rng: np.random.Generator, size: tuple[int, int]) -> Image.Image:
    """Draw a program's window of width and height px: a title bar, a canvas, a few buttons with texts."""
    wide, high = size
    dark = rng.random() < 0.4
    body, text, bar = (
        ((43, 43, 46), (230, 230, 230), (60, 62, 66)) if dark else ((240,) * 3, (20,) * 3, (215, 222, 230))
    )
    picture = Image.new("RGB", size, body)
    draw = ImageDraw.Draw(picture)
    draw.font = ImageFont.load_default(max(8.0, high / 28))
    draw.rectangle((0, 0, wide, high // 14), fill=bar)
    draw.text((8, high // 28), "Draw a digit", fill=text, anchor="lm")
    for place, color in enumerate(((226, 80, 70), (240, 190, 60), (90, 190, 80))):
        x = wide - (place + 1) * high // 16
        draw.ellipse((x, high // 50, x + high // 30, high // 50 + high // 30), fill=color)
    side = round(min(wide * 0.8, high * 0.68) * (rng.uniform(0.4, 1) if rng.random() < 0.4 else 1))
    left, top = (wide - side) // 2, high // 14 + high // 30
    shown = np.asarray(enlarged(digit, side, rng))
    picture.paste(Image.fromarray(shown if rng.random() < 0.6 else 255 - shown), (left, top))
    draw.rectangle((left - 1, top - 1, left + side, top + side), outline=(130, 130, 130))
    for place, label in enumerate(("Clear", "Predict")):
        x, y = left + place * side * 0.55, top + side + high * 0.04
        draw.rectangle((x, y, x + side * 0.45, y + high * 0.09), fill=bar, outline=(130, 130, 130))
        draw.text((x + side * 0.22, y + high * 0.045), label, fill=text, anchor="mm")
    return picture


def screenshot(digits: Digits, rng: np.random.Generator) -> bytes:
    """Show a window, sometimes on a desktop."""
    high = int(rng.integers(220, 480))
    shown = window(digits[0], rng, (round(high * rng.uniform(0.85, 1.3)), high))
    if rng.random() < 0.4:
        desk = Image.new("RGB", (shown.width + 80, shown.height + 60), tuple(rng.integers(20, 200, 3).tolist()))
        desk.paste(shown, (int(rng.integers(0, 80)), int(rng.integers(0, 60))))
        shown = desk
    return saved(shown)


def screen_photo(digits: Digits, rng: np.random.Generator) -> bytes:
    """Photograph a screen with a canvas or a window: a bezel, perspective, a soft picture, a desk around."""
    if rng.random() < 0.5:
        screen = window(digits[0], rng, (480, 400))
    else:
        shown = enlarged(digits[0], int(rng.integers(200, 330)), rng)
        light = rng.random() < 0.5
        screen = Image.new("RGB", (480, 400), (235, 238, 240) if light else (15, 15, 18))
        paste = np.asarray(shown) if not light or rng.random() < 0.5 else 255 - np.asarray(shown)
        screen.paste(Image.fromarray(paste), (int(rng.integers(20, 480 - shown.width)), int(rng.integers(10, 60))))
    framed = Image.new("RGB", (520, 440), (18, 18, 20))
    framed.paste(screen, (20, 20))
    out = 480, 400
    corners = np.array(((32, 24), (448, 24), (448, 376), (32, 376))) + rng.uniform(-22, 22, (4, 2))
    photo = Image.new("RGB", out, tuple(rng.integers(60, 200, 3).tolist()))
    mask = Image.new("L", framed.size, 255)
    way = Image.Transform.PERSPECTIVE, perspective(corners, framed.size), Image.Resampling.BILINEAR
    photo.paste(framed.transform(out, *way), (0, 0), mask.transform(out, *way))
    levels = np.asarray(photo.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.6, 1.4)))), np.float32)
    levels = levels * 0.85 + 14 + 3 * rng.standard_normal((*levels.shape[:2], 1), np.float32)
    return saved(np.clip(levels, 0, 255).astype(np.uint8), "JPEG", quality=75)


def perspective(corners: npt.NDArray[np.float64], size: tuple[int, int]) -> tuple[float, ...]:
    """The eight numbers with which Pillow shows a picture of this size between four corners (x, y), clockwise."""
    wide, high = size
    rows, values = [], []
    for (x, y), (u, v) in zip(corners.tolist(), ((0, 0), (wide, 0), (wide, high), (0, high)), strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    return tuple(np.linalg.solve(np.array(rows), np.array(values, np.float64)).tolist())


KINDS: Final = {
    "panel: dark, no axes": Kind(partial(plot, colors=("gray",), axes=False)),
    "panel: dark, axes": Kind(partial(plot, colors=("gray",), axes=True)),
    "panel: colors, no axes": Kind(partial(plot, colors=("violet", "fire"), axes=False)),
    "panel: colors, axes": Kind(partial(plot, colors=("violet", "fire"), axes=True)),
    "panel: light, axes": Kind(partial(plot, colors=("light",), axes=True)),
    "panel: light on dark page": Kind(partial(plot, colors=("light",), axes=False, page=(25, 25, 30))),
    "panel: dark canvas on a page": Kind(partial(canvas, light_panel=False)),
    "panel: light canvas on a page": Kind(partial(canvas, light_panel=True)),
    "panel: small dark canvas": Kind(partial(canvas, light_panel=False, sides=(40, 120), page=(1.2, 7))),
    "panel: small light canvas": Kind(partial(canvas, light_panel=True, sides=(40, 120), page=(1.2, 7))),
    "panel: 28 px frame on a page": Kind(partial(canvas, light_panel=False, sides=(28, 29), page=(1.1, 3), full=True)),
    "panel: 56 px frame on a page": Kind(partial(canvas, light_panel=False, sides=(56, 57), page=(1.1, 3), full=True)),
    "several: plots": Kind(plots, "several", (2, 6)),
    "panel: window screenshot": Kind(screenshot),
    "panel: photo of a screen": Kind(screen_photo),
}
