"""Settings of the documentation's site: `make docs` builds it into build/docs, without a network.

The pages are Markdown (MyST), so that they also read well on GitHub. api.md takes the docstrings of the package.
"""

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
