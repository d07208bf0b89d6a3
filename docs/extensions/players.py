"""A link to a sound is followed by its player; and nothing that a page shows comes from elsewhere."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

__all__ = ["fetched_by", "setup"]

SOUNDS = (".flac", ".wav")
FETCHED = re.compile(
    r"""<(?:img|script|audio|video|source|iframe)\b[^>]*\bsrc=["']?(?:https?:)?//[^"'\s>]*"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|icon|preconnect))[^>]*\bhref=["']?(?:https?:)?//[^"'\s>]*""",
    re.IGNORECASE,
)
"""What a browser loads when a page is opened; a link that one has to click is none of these."""


def fetched_by(page: str) -> list[str]:
    """The parts of a page that a browser would fetch from elsewhere."""
    return FETCHED.findall(page)


def _visit(translator: Any, node: Any) -> None:
    from sphinx.writers.html5 import HTML5Translator

    HTML5Translator.visit_download_reference(translator, node)


def _depart(translator: Any, node: Any) -> None:
    from sphinx.writers.html5 import HTML5Translator

    HTML5Translator.depart_download_reference(translator, node)
    name = node.get("filename", "")
    if name.endswith(SOUNDS):
        source = posixpath.join(translator.builder.dlpath, quote(name))
        translator.body.append(f' <audio class="beside" controls preload="none" src="{source}"></audio>')


def _check_pages(app: Any, exception: Exception | None) -> None:
    from sphinx.util import logging

    if exception is not None or app.builder.format != "html":
        return
    logger = logging.getLogger(__name__)
    for path in sorted(Path(app.outdir).rglob("*.html")):
        for found in fetched_by(path.read_text("utf-8")):
            logger.warning("%s would fetch %s", path.relative_to(app.outdir), found)


def setup(app: Any) -> dict[str, bool]:
    """Called by Sphinx."""
    from sphinx import addnodes

    app.add_node(addnodes.download_reference, override=True, html=(_visit, _depart))
    app.connect("build-finished", _check_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
