"""Settings of the documentation's site: `make docs` builds it into build/docs, without a network.

The pages are Markdown (MyST), so that they also read well on GitHub. api.md takes the docstrings of the package.
"""

from typing import Any

import sleep_tune

project = "sleep-tune"
copyright = "the authors of sleep-tune, Apache-2.0"
version = release = sleep_tune.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
exclude_patterns = ["README.md"]  # index.rst includes it

myst_heading_anchors = 3
suppress_warnings = ["misc.highlighting_failure"]  # a command line with {...} is no valid bash for the highlighter

default_role = "code"  # a docstring writes code in single backticks, as Markdown does
autodoc_typehints = "none"  # docstrings say types where the signature does not
autodoc_member_order = "bysource"
napoleon_use_ivar = True
napoleon_use_rtype = False

html_theme = "furo"
html_title = "sleep-tune"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False


def mark_examples(app: Any, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Put two colons before each indented block of a docstring: its code, which Markdown shows without them."""
    for number in range(len(lines) - 1, 1, -1):
        before = next((line for line in reversed(lines[:number]) if line), "")
        if lines[number].startswith("    ") and not lines[number - 1] and not before.startswith(" "):
            lines[number:number] = ["::", ""]


def setup(app: Any) -> None:
    """Connect to Sphinx, before napoleon reads the sections of a docstring."""
    app.connect("autodoc-process-docstring", mark_examples, priority=400)
