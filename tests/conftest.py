"""For all suites: Python's search for cycles of garbage runs seldom.

The SDK and its resource classes are a large heap that lives as long as the process. With Python's
own thresholds it is searched again and again, which was half of the time of a run of the program.
"""

from __future__ import annotations

import gc

# Objects made before a search of the youngest; Python's own threshold is 700.
_GARBAGE_THRESHOLD = 1_000_000


def pytest_collection_finish() -> None:
    """What the collection has loaded stays until the end: no search has to look at it."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_GARBAGE_THRESHOLD, 20, 20)
