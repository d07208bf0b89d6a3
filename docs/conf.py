"""Sphinx: the pages of this folder, the gallery and the API reference as one site. `make docs` builds it, offline."""

import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE / "extensions"), str(HERE.parent / "src")]
os.environ["MPLBACKEND"] = "Agg"
# `watch` in an example must not find a notebook, and a figure must not be cut by who draws it here.

project = "unweave"
author = "the unweave authors"
project_copyright = author
_FRONT = (HERE.parent / "src" / "unweave" / "__init__.py").read_text("utf-8")
release = version = re.search(r'__version__ = "(.*?)"', _FRONT)[1]

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "sphinx_gallery.gen_gallery",
    "apipages",
    "players",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
exclude_patterns = ["_build", "gallery", "examples", "extensions"]
html_theme = "furo"
html_title = "unweave"
html_static_path = ["extensions/site.css"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sphinx = False
smartquotes = False  # what is typed is what is shown: options and quotes can be copied

# Markdown: headings have the anchors that forges give them.
myst_heading_anchors = 4

# Docstrings.
default_role = "py:obj"
add_module_names = False
maximum_signature_line_length = 80
autodoc_typehints = "none"  # the text of a docstring says shapes, units and ranges, which is more
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_show_inherited_class_members = False

# The gallery: every example runs when it has changed.
sphinx_gallery_conf = {
    "examples_dirs": "gallery",
    "gallery_dirs": "made/gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"__init__\.py$",
    "within_subsection_order": "FileNameSortKey",
    "abort_on_example_error": True,
    "capture_repr": ("_repr_html_",),
    "download_all_examples": False,
    "show_signature": False,
    "show_memory": False,
    "write_computation_times": False,  # that page would fetch from elsewhere
    "min_reported_time": 3600,
    "remove_config_comments": True,
    "image_scrapers": ("matplotlib",),
    "reset_modules": ("matplotlib",),
    "copyfile_regex": "",
    "nested_sections": False,
}
