"""gzip whose bytes depend on the text only.

cloud-init takes gzip, and user data is limited. zlib's output differs from one of its
implementations and versions to another, and user data that differs replaces every host: so the
few lines that are needed of RFC 1951 (one block, fixed Huffman codes) are here.
"""

from __future__ import annotations

import struct
import zlib

_LONGEST_MATCH, _SHORTEST_MATCH, _FARTHEST = 258, 3, 32_768
# How many earlier places with the same beginning are compared.
_MOST_CANDIDATES = 64
_END_OF_BLOCK = 256
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # no name, no time, unknown system


def _ranges(first_bases: int, per_step: int, start: int, codes: int) -> list[tuple[int, int]]:
    """(base, extra bits) of length or distance codes, RFC 1951 section 3.2.5."""
    found: list[tuple[int, int]] = []
    base = start
    for code in range(codes):
        extra = max(0, (code - first_bases) // per_step + 1) if code >= first_bases else 0
        found.append((base, extra))
        base += 1 << extra
    return found


_LENGTHS = [*_ranges(8, 4, 3, 28), (258, 0)]
_DISTANCES = _ranges(4, 2, 1, 30)


def compress(text: bytes) -> bytes:
    """A gzip file that holds `text`."""
    writer = _Bits()
    writer.write(0b011, 3)  # the last block, fixed Huffman codes
    position = 0
    places: dict[bytes, list[int]] = {}
    while position < len(text):
        length, distance = _match(text, position, places)
        # One step later may be a longer match: then this byte is better a literal.
        if length >= _SHORTEST_MATCH:
            _remember(text, position, places)
            if _match(text, position + 1, places)[0] > length:
                length = 0
        else:
            _remember(text, position, places)
            length = 0
        if length:
            writer.length(length)
            writer.distance(distance)
            for passed in range(position + 1, position + length):
                _remember(text, passed, places)
            position += length
        else:
            writer.symbol(text[position])
            position += 1
    writer.symbol(_END_OF_BLOCK)
    return _HEADER + writer.finish() + struct.pack("<II", zlib.crc32(text), len(text))


def _remember(text: bytes, position: int, places: dict[bytes, list[int]]) -> None:
    places.setdefault(text[position : position + _SHORTEST_MATCH], []).append(position)


def _match(text: bytes, position: int, places: dict[bytes, list[int]]) -> tuple[int, int]:
    """Longest earlier occurrence of what follows, the nearest one of equal length."""
    best, distance = 0, 0
    candidates = places.get(text[position : position + _SHORTEST_MATCH], [])
    longest = min(_LONGEST_MATCH, len(text) - position)
    for candidate in reversed(candidates[-_MOST_CANDIDATES:]):
        if position - candidate > _FARTHEST:
            break
        # Only one that is better at its end can be better.
        if best and text[candidate + best] != text[position + best]:
            continue
        length = _SHORTEST_MATCH
        while length < longest and text[candidate + length] == text[position + length]:
            length += 1
        if length > best:
            best, distance = length, position - candidate
            if best == longest:
                break
    return (best, distance) if best >= _SHORTEST_MATCH else (0, 0)


class _Bits:
    """Bits as DEFLATE packs them: least significant first."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._rest, self._count = 0, 0

    def write(self, value: int, count: int) -> None:
        """Add `count` bits of a number."""
        self._rest |= value << self._count
        self._count += count
        while self._count >= 8:
            self._bytes.append(self._rest & 0xFF)
            self._rest >>= 8
            self._count -= 8

    def symbol(self, symbol: int) -> None:
        """Add a literal, the end of the block or a length code; RFC 1951 section 3.2.6."""
        for first, code, count in ((280, 0b11000000, 8), (256, 0, 7), (144, 0b110010000, 9)):
            if symbol >= first:
                self._huffman(code + symbol - first, count)
                return
        self._huffman(0b00110000 + symbol, 8)

    def length(self, length: int) -> None:
        """Add a match's length."""
        code, (base, extra) = _code(_LENGTHS, length)
        self.symbol(257 + code)
        self.write(length - base, extra)

    def distance(self, distance: int) -> None:
        """Add a match's distance."""
        code, (base, extra) = _code(_DISTANCES, distance)
        self._huffman(code, 5)
        self.write(distance - base, extra)

    def finish(self) -> bytes:
        """All bits, filled up to whole bytes."""
        self.write(0, -self._count % 8)
        return bytes(self._bytes)

    def _huffman(self, code: int, count: int) -> None:
        """Add a Huffman code, whose most significant bit comes first."""
        self.write(int(f"{code:0{count}b}"[::-1], 2), count)


def _code(ranges: list[tuple[int, int]], value: int) -> tuple[int, tuple[int, int]]:
    return max((number, each) for number, each in enumerate(ranges) if each[0] <= value)
