"""Pages from the Jinja2 templates in templates/: every value is escaped, with its control characters made visible."""

import functools
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from sleep_tune.plain_text import visible

__all__ = ["TEMPLATES", "read_template", "render_page"]

TEMPLATES = Path(__file__).parent / "templates"


def render_page(template: str, **values: Any) -> str:
    """Return a page. The template also gets `style`, the style sheet that all pages share.

    Args:
        template: name of a file in templates/.
        values: what it shows; a `Markup` is written as it is, everything else is escaped.
    """
    return _environment().get_template(template).render(style=Markup(read_template("style.css")), **values)


@functools.cache
def read_template(name: str) -> str:
    """Return the text of a file in templates/."""
    return (TEMPLATES / name).read_text(encoding="utf-8")


@functools.cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_make_visible,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _make_visible(value: Any) -> Any:
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value
