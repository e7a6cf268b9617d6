"""The program that draws the figures in a browser: Vega-Lite and what it needs, in one text.

Bundling it takes seconds of a processor and always comes to the same, so it is kept in the user's
cache (``$XDG_CACHE_HOME/gat-batch``), once for each version of vl-convert.
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import vl_convert


def drawing_library() -> str:
    """Return the program as text to put into a page; from the cache if it is whole there."""
    with suppress(OSError, ValueError, RuntimeError):
        digest, text = _kept().read_text(encoding="utf-8").split("\n", 1)
        if digest == _digest(text):
            return text
    library: str = vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;")
    library = library.replace("</script", "<\\/script")
    # Without a cache that can be written reports take longer, no more.
    with suppress(OSError, RuntimeError):
        kept = _kept()
        kept.parent.mkdir(parents=True, exist_ok=True)
        temporary = kept.with_name(f".{kept.name}.{os.getpid()}.tmp")
        temporary.write_text(f"{_digest(library)}\n{library}", encoding="utf-8")
        temporary.replace(kept)
    return library


def _kept() -> Path:
    """Return its place in the cache.

    Raises:
        RuntimeError: if the user has no home.
    """
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "gat-batch" / f"vega-{version('vl-convert-python')}.js"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
