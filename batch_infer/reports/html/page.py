"""The page itself: content in, one self-contained HTML file out."""

import base64
import functools
import hashlib
import os
from collections.abc import Mapping
from typing import Any, Final

import jinja2

from batch_infer._version import __version__
from batch_infer.reports.html import accuracy, charts, history, overview, review, words
from batch_infer.reports.html.content import ReportContent
from batch_infer.reports.html.pictures import Pictures

TEMPLATES: Final = os.path.join(os.path.dirname(__file__), "templates")
GENERATOR: Final = f"mnist-logistic {__version__} report"


def render(content: ReportContent) -> bytes:
    """Make the page: UTF-8, without any reference to another file. The same content gives the same bytes."""
    pictures = Pictures(shown=content.pictures)
    parts: dict[str, Any] = {
        "generator": GENERATOR,
        "run": overview.overview(content),
        "review": review.review(content, pictures),
        "accuracy": accuracy.accuracy(content, pictures),
        "reliability": charts.reliability(content.tally),
        "histogram": charts.histogram(content.confidence_counts),
        "history": history.history(content),
        "pictures": content.pictures,
    }
    environment = _environment()
    # The style sheet comes last, as it holds the pictures that the other parts have collected.
    parts["styles"] = [_source("style.css"), pictures.style()]
    parts["script"] = _source("page.js") if parts["review"].cards else ""
    parts["policy"] = _policy(parts["styles"], parts["script"])
    page = environment.get_template("page.html").render(parts)
    return page.encode()


def prepare() -> None:
    """Load the templates, so that `render` is twice as fast; a job does it while its workers are busy."""
    environment = _environment()
    for name in environment.list_templates(extensions=["html"]):
        environment.get_template(name)


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=words.visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    filters: Mapping[str, Any] = {
        "count": words.count,
        "percent": words.percent,
        "power": words.power,
        "several": words.several,
        "short": functools.partial(words.shortened, most=60),
    }
    environment.filters.update(filters)
    return environment


def _source(name: str) -> str:
    with open(os.path.join(TEMPLATES, name), encoding="utf-8") as file:
        return file.read()


def _policy(styles: list[str], script: str) -> str:
    """The content security policy: nothing but pictures inside the page, and our own styles and script by hash."""
    style = " ".join(map(_hash, styles))
    return (
        f"default-src 'none'; style-src {style}; script-src {_hash(script) if script else chr(39) + 'none' + chr(39)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(source: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(source.encode()).digest()).decode()}'"
