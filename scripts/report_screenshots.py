"""Make the screenshots of batch_infer/reports/README.md: the report of a run on the golden pictures, in a real browser.

    python scripts/report_screenshots.py      writes batch_infer/reports/pictures/{light,dark,phone,print}.png

The labels are the digits in the files' names. It needs a Chromium and `pip install '.[test]'`.
"""

import io
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

from golden_pictures import GOLDEN, is_input
from PIL import Image, ImageOps
from playwright.sync_api import Browser, sync_playwright

from batch_infer import run_job

MODEL: Final = Path(__file__).parents[1] / "batch_infer" / "model" / "mnist-logistic.onnx"
PICTURES: Final = Path(__file__).parents[1] / "batch_infer" / "reports" / "pictures"
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "chrome")
COLOURS: Final = 160  # a palette: half of the bytes
# Name: what the browser is told, its media, and the heading at the top of the picture.
SHOTS: Final[dict[str, tuple[dict[str, Any], str, str | None]]] = {
    "light": ({"viewport": {"width": 960, "height": 1040}}, "screen", None),
    "dark": ({"viewport": {"width": 960, "height": 1040}, "color_scheme": "dark"}, "screen", "accuracy"),
    "phone": ({"viewport": {"width": 390, "height": 844}, "device_scale_factor": 1.5}, "screen", "review"),
    "print": ({"viewport": {"width": 700, "height": 990}}, "print", "review"),  # A4 within its margins
}
MARGIN: Final = 48  # px, of paper


def make_report(folder: Path) -> Path:
    """Run the job on the golden pictures, by label in `folder`, as somebody would who keeps scans there."""
    for path in sorted(filter(is_input, GOLDEN.glob("*/*"))):
        label = path.name[0]
        if label.isdigit():
            (folder / "scans" / label).mkdir(parents=True, exist_ok=True)
            shutil.copy(path, folder / "scans" / label / f"{path.parent.name}-{path.name.partition('-')[2]}")
    os.chdir(folder)
    shutil.copy(MODEL, MODEL.name)
    run_job(["scans"], out="preds.csv", model=MODEL.name, workers=1)
    return folder / "preds.report.html"


def shoot(browser: Browser, report: Path, name: str) -> None:
    options, media, heading = SHOTS[name]
    page = browser.new_page(**options)
    page.emulate_media(media=media, color_scheme=options.get("color_scheme", "light"))
    page.goto(report.as_uri() + (f"#{heading}" if heading else ""))
    shot = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    if media == "print":
        shot = ImageOps.expand(shot, MARGIN, "white")
    shot = shot.quantize(COLOURS, dither=Image.Dither.NONE)
    shot.save(PICTURES / f"{name}.png", optimize=True)
    page.close()


def main() -> None:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise SystemExit(f"no browser named {', '.join(BROWSERS)}; on Debian: apt-get install chromium")
    PICTURES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        report = make_report(Path(folder))
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for name in SHOTS:
            shoot(browser, report, name)
        browser.close()


if __name__ == "__main__":
    main()
