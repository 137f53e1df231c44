"""Sphinx configuration: Markdown pages, and the API from its numpydoc docstrings."""

import prunestats

project = "prunestats"
author = "The prunestats authors"
release = version = prunestats.__version__
extensions = ["myst_parser", "numpydoc", "sphinx.ext.autodoc", "sphinx.ext.autosummary"]
myst_enable_extensions = ["dollarmath", "colon_fence"]
myst_heading_anchors = 3
numpydoc_show_class_members = False
autodoc_typehints = "none"
exclude_patterns = ["build"]
html_theme = "alabaster"
html_theme_options = {"description": "Evidence for people who prune networks", "fixed_sidebar": True}
