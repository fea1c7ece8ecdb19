"""Keeps compiled Python where the environment says not to write it beside the sources.

Container images often set PYTHONDONTWRITEBYTECODE. Every process of an engine run would then
compile pulumi-aws anew, which takes longer than the rest of a preview.
"""

from __future__ import annotations

import os
import sys

from toolchain.cache import cache_folder


def keep_bytecode() -> None:
    """Makes this process and its children keep bytecode in the cache folder.

    Only where PYTHONDONTWRITEBYTECODE is set: without it Python keeps bytecode by itself, beside
    the sources. Python compares a source's time and size before it uses bytecode of either place.
    """
    if not os.environ.pop("PYTHONDONTWRITEBYTECODE", ""):
        return
    folder = os.environ.setdefault("PYTHONPYCACHEPREFIX", str(cache_folder() / "bytecode"))
    sys.pycache_prefix = folder
    sys.dont_write_bytecode = False
