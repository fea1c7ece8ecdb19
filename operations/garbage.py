"""Spares a program that imports much, works and ends the search for garbage that is not there."""

from __future__ import annotations

import atexit
import gc

# The imports of a backup and what botocore reads make 110,000 objects that stay, and Python would
# search among them 170 times. What has become garbage is hardly more: 3 objects in circles for each
# request to S3.
_OBJECTS = 200_000


def search_rarely() -> None:
    """From the first import to the end of the process, a fifth of a second in all."""
    gc.set_threshold(_OBJECTS)
    # At its end Python would search everything once more, to free what ends with the process.
    atexit.register(gc.freeze)
