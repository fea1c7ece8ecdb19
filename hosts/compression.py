"""gzip whose bytes depend on the text only.

cloud-init takes gzip, and user data is limited. zlib's output differs from one of its
implementations and versions to another, and user data that differs replaces every host: so what
is needed of RFC 1951 (blocks with Huffman codes of their own) is here and in `repetitions`.
"""

from __future__ import annotations

import struct
import zlib

from hosts import huffman
from hosts.repetitions import (
    DISTANCE_CODES,
    DISTANCES,
    END_OF_BLOCK,
    LENGTH_CODES,
    LENGTH_SYMBOLS,
    LENGTHS,
    Token,
    code_lengths,
    tokens,
)

_LONGEST_RUN_CODE = 7
# RFC 1951 section 3.2.7: the order of the code lengths for code lengths.
_RUN_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # no name, no time, unknown system


def compress(*parts: bytes) -> bytes:
    """gzip of the parts, one after the other.

    Each has codes of its own: what looks different (programs, certificates) is shorter apart.
    """
    text = b"".join(parts)
    bits = _Bits()
    end = 0
    for number, part in enumerate(parts or (b"",), start=1):
        start, end = end, end + len(part)
        _block(bits, tokens(text[:end], start), last=number >= len(parts))
    return _HEADER + bits.finish() + struct.pack("<II", zlib.crc32(text), len(text))


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

    def finish(self) -> bytes:
        """All bits, filled up to whole bytes."""
        self.write(0, -self._count % 8)
        return bytes(self._bytes)

    def huffman(self, code: int, count: int) -> None:
        """Add a Huffman code, whose most significant bit comes first."""
        self.write(int(f"{code:0{count}b}"[::-1], 2), count)


def _block(bits: _Bits, said: list[Token], *, last: bool) -> None:
    """Its codes first, then its symbols."""
    lengths = code_lengths(said)
    literals = list(zip(huffman.codes(lengths.literals), lengths.literals, strict=True))
    distances = list(zip(huffman.codes(lengths.distances), lengths.distances, strict=True))
    bits.write(0b101 if last else 0b100, 3)  # codes of its own
    _codes(bits, lengths.literals, lengths.distances)
    for length, value in said:
        if not length:
            bits.huffman(*literals[value])
            continue
        code = LENGTH_CODES[length]
        base, extra = LENGTHS[code]
        bits.huffman(*literals[LENGTH_SYMBOLS + code])
        bits.write(length - base, extra)
        code = DISTANCE_CODES[value]
        base, extra = DISTANCES[code]
        bits.huffman(*distances[code])
        bits.write(value - base, extra)
    bits.huffman(*literals[END_OF_BLOCK])


def _codes(bits: _Bits, literals: list[int], distances: list[int]) -> None:
    """The lengths of both sets of codes, themselves in Huffman codes."""
    literals = _without_zeros(literals, LENGTH_SYMBOLS)
    distances = _without_zeros(distances, 1)
    runs = huffman.runs([*literals, *distances])
    weights = [0] * len(_RUN_ORDER)
    for symbol, _, _ in runs:
        weights[symbol] += 1
    run_lengths = huffman.lengths(weights, _LONGEST_RUN_CODE)
    run_codes = huffman.codes(run_lengths)
    in_order = _without_zeros([run_lengths[symbol] for symbol in _RUN_ORDER], 4)
    bits.write(len(literals) - LENGTH_SYMBOLS, 5)
    bits.write(len(distances) - 1, 5)
    bits.write(len(in_order) - 4, 4)
    for length in in_order:
        bits.write(length, 3)
    for symbol, extra, count in runs:
        bits.huffman(run_codes[symbol], run_lengths[symbol])
        bits.write(extra, count)


def _without_zeros(lengths: list[int], least: int) -> list[int]:
    """Without the zeros at the end, as long as `least` are left."""
    while len(lengths) > least and not lengths[-1]:
        lengths = lengths[:-1]
    return lengths
