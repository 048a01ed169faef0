"""Reports of real pictures, and a real browser in which they are opened."""

import os
import shutil
from types import SimpleNamespace

import pytest
from support.report_content import golden_content, mnist_content, with_history

from batch_infer.reports.html.page import render

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
REQUIRED = os.environ.get("TEST_BROWSER") == "required"  # .ci/run sets it: there, nothing is skipped for want of one


@pytest.fixture(scope="session")
def pictures():
    """Some of the golden pictures, with labels and earlier runs."""
    return with_history(golden_content(6))


@pytest.fixture(scope="session")
def digits():
    """MNIST's training digits in an IDX file, half of them noisy, with labels."""
    return mnist_content(400)


def missing(what):
    """Skip a test for want of a tool, unless there must be one."""
    (pytest.fail if REQUIRED else pytest.skip)(f"there is no {what}")


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium."""
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("playwright: pip install '.[test]'")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        missing(f"browser named {', '.join(BROWSERS)}; on Debian: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core."""
    try:
        import axe_playwright_python
    except ModuleNotFoundError:
        missing("axe-core: pip install '.[test]'")
    with open(os.path.join(axe_playwright_python.__path__[0], "axe.min.js"), encoding="utf-8") as file:
        return file.read()


@pytest.fixture
def opened(chromium, tmp_path):
    """Open a report from disk; when the test is over, nothing may have gone wrong, and nothing have left the page."""
    contexts, wrong = [], []

    def open_report(content, **options):
        (tmp_path / "p.report.html").write_bytes(content if isinstance(content, bytes) else render(content))
        context = chromium.new_context(accept_downloads=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(300_000)
        page.on("console", lambda message: wrong.append(message.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        requests: list[str] = []
        page.goto(f"file://{tmp_path}/p.report.html")
        return SimpleNamespace(page=page, requests=requests, file=tmp_path / "p.report.html")

    yield open_report
    for context in contexts:
        context.close()
    assert wrong == []
