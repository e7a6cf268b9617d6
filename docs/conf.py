"""Settings of Sphinx, which makes the site from these pages and from the sources."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "_extensions"), str(HERE.parent / "scripts")]

project = "gat-batch"
author = "the authors of gat-batch"
html_theme = "furo"
html_title = "gat-batch"
html_show_sourcelink = False
html_show_copyright = False
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "reference"]
exclude_patterns = ["_extensions"]
nitpicky = True

# An anchor for every heading down to this level; a link to one that isn't there is a warning.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
# Names of others. Their pages aren't asked, as a build needs no network.
nitpick_ignore_regex = [
    ("py:.*", r"(pa|pd|pathlib|pyarrow|pandas|typing)\..*"),
    ("py:.*", r"(str|int|bool|dict|tuple|None|Any|Path|Self|Table|pandapowerNet)"),
    ("py:.*", r"(Literal.*|[a-z_]*')"),
]
