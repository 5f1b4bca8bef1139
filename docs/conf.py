"""How the documentation is built: Sphinx, MyST, furo; the reference is written from the code first."""

import sys
from importlib.metadata import version as installed
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import reference

project = "cscale"
author = "the cscale authors"
release = version = installed("cscale")
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
html_theme = "furo"
html_title = f"cscale {release}"
exclude_patterns = ["_build"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
napoleon_use_ivar = True
autodoc_member_order = "bysource"
autodoc_typehints = "description"
nitpicky = False
smartquotes = False  # `--config` shall stay what it is

reference.write(Path(__file__).parent / "reference")
