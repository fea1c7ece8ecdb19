"""gzip whose bytes depend on the text only.

cloud-init takes gzip, and user data is limited. zlib's output differs from one of its
implementations and versions to another, and user data that differs replaces every host: so what
is needed of RFC 1951 (one block with Huffman codes of its own) is here.
"""

from __future__ import annotations

import struct
import zlib

from hosts import huffman

_LONGEST_MATCH, _SHORTEST_MATCH, _FARTHEST = 258, 3, 32_768
# How many earlier places with the same beginning are compared.
_MOST_CANDIDATES = 64
_END_OF_BLOCK = 256
_LENGTH_SYMBOLS, _LITERAL_SYMBOLS = 257, 286
_LONGEST_CODE, _LONGEST_RUN_CODE = 15, 7
# RFC 1951 section 3.2.7: the order of the code lengths for code lengths.
_RUN_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
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
    """gzip of the text."""
    tokens = _tokens(text)
    literals, distances = [0] * _LITERAL_SYMBOLS, [0] * len(_DISTANCES)
    # Two codes at least: some decoders refuse a set that is not complete.
    literals[0] = literals[_END_OF_BLOCK] = 1
    for length, value in tokens:
        if length:
            literals[_LENGTH_SYMBOLS + _code(_LENGTHS, length)[0]] += 1
            distances[_code(_DISTANCES, value)[0]] += 1
        else:
            literals[value] += 1
    writer = _Block(
        huffman.lengths(literals, _LONGEST_CODE), huffman.lengths(distances, _LONGEST_CODE)
    )
    for length, value in tokens:
        if length:
            writer.match(length, value)
        else:
            writer.symbol(value)
    writer.symbol(_END_OF_BLOCK)
    return _HEADER + writer.finish() + struct.pack("<II", zlib.crc32(text), len(text))


def _tokens(text: bytes) -> list[tuple[int, int]]:
    """The text as (length, distance) of matches and (0, byte) of literals."""
    found: list[tuple[int, int]] = []
    position = 0
    places: dict[bytes, list[int]] = {}
    while position < len(text):
        length, distance = _match(text, position, places)
        _remember(text, position, places)
        # One step later may be a longer match: then this byte is better a literal.
        if length and _match(text, position + 1, places)[0] > length:
            length = 0
        if length:
            found.append((length, distance))
            for passed in range(position + 1, position + length):
                _remember(text, passed, places)
            position += length
        else:
            found.append((0, text[position]))
            position += 1
    return found


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

    def finish(self) -> bytes:
        """All bits, filled up to whole bytes."""
        self.write(0, -self._count % 8)
        return bytes(self._bytes)

    def huffman(self, code: int, count: int) -> None:
        """Add a Huffman code, whose most significant bit comes first."""
        self.write(int(f"{code:0{count}b}"[::-1], 2), count)


class _Block(_Bits):
    """The only block of a file: its codes first, then its symbols."""

    def __init__(self, literal_lengths: list[int], distance_lengths: list[int]) -> None:
        super().__init__()
        self._literals = list(zip(huffman.codes(literal_lengths), literal_lengths, strict=True))
        self._distances = list(zip(huffman.codes(distance_lengths), distance_lengths, strict=True))
        while len(literal_lengths) > _LENGTH_SYMBOLS and not literal_lengths[-1]:
            literal_lengths = literal_lengths[:-1]
        while len(distance_lengths) > 1 and not distance_lengths[-1]:
            distance_lengths = distance_lengths[:-1]
        runs = huffman.runs([*literal_lengths, *distance_lengths])
        weights = [0] * len(_RUN_ORDER)
        for symbol, _, _ in runs:
            weights[symbol] += 1
        run_lengths = huffman.lengths(weights, _LONGEST_RUN_CODE)
        run_codes = huffman.codes(run_lengths)
        in_order = [run_lengths[symbol] for symbol in _RUN_ORDER]
        while len(in_order) > 4 and not in_order[-1]:
            in_order.pop()
        self.write(0b101, 3)  # the last block, with codes of its own
        self.write(len(literal_lengths) - _LENGTH_SYMBOLS, 5)
        self.write(len(distance_lengths) - 1, 5)
        self.write(len(in_order) - 4, 4)
        for length in in_order:
            self.write(length, 3)
        for symbol, extra, count in runs:
            self.huffman(run_codes[symbol], run_lengths[symbol])
            self.write(extra, count)

    def symbol(self, symbol: int) -> None:
        """Add a literal, the end of the block or a length code."""
        self.huffman(*self._literals[symbol])

    def match(self, length: int, distance: int) -> None:
        """Add a match."""
        code, (base, extra) = _code(_LENGTHS, length)
        self.symbol(_LENGTH_SYMBOLS + code)
        self.write(length - base, extra)
        code, (base, extra) = _code(_DISTANCES, distance)
        self.huffman(*self._distances[code])
        self.write(distance - base, extra)


def _code(ranges: list[tuple[int, int]], value: int) -> tuple[int, tuple[int, int]]:
    return max((number, each) for number, each in enumerate(ranges) if each[0] <= value)
