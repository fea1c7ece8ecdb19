"""gzip of user data, whose bytes depend on the text only.

cloud-init takes gzip, and user data is limited. zlib's output differs from one of its
implementations and versions to another, and user data that differs replaces every host. libdeflate
computes with whole numbers, and its version is pinned with the rest: every machine makes the same.
"""

import deflate

_SHORTEST = 12


def compress(text: str) -> bytes:
    """The text as gzip, as short as libdeflate makes it (milliseconds)."""
    return bytes(deflate.gzip_compress(text.encode(), _SHORTEST))
