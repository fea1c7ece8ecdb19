"""A text as DEFLATE says it: bytes, and repetitions of what came before; in the fewest bits.

Whole numbers only, and the first of equals: equal texts are said equally on every machine.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

from hosts import huffman

LONGEST, SHORTEST, FARTHEST = 258, 3, 32_768
# How many earlier places with the same beginning are compared.
_MOST_CANDIDATES = 64
# What a text costs depends on the codes, and the codes on how it is said: after two rounds of
# either nothing gets shorter.
_ROUNDS = 2
END_OF_BLOCK = 256
LENGTH_SYMBOLS, _LITERAL_SYMBOLS = 257, 286
_LONGEST_CODE = 15

Token = tuple[int, int]
"""(length, distance) of a repetition, or (0, byte)."""


def _ranges(first_bases: int, per_step: int, start: int, codes: int) -> list[tuple[int, int]]:
    """(base, extra bits) of length or distance codes, RFC 1951 section 3.2.5."""
    found: list[tuple[int, int]] = []
    base = start
    for code in range(codes):
        extra = max(0, (code - first_bases) // per_step + 1) if code >= first_bases else 0
        found.append((base, extra))
        base += 1 << extra
    return found


LENGTHS = [*_ranges(8, 4, 3, 28), (258, 0)]
DISTANCES = _ranges(4, 2, 1, 30)


def _codes(ranges: list[tuple[int, int]], last: int) -> list[int]:
    """Value → its code."""
    found = [0] * (last + 1)
    for code, (base, extra) in enumerate(ranges):
        for value in range(base, min(base + (1 << extra), last + 1)):
            found[value] = code
    return found


LENGTH_CODES = _codes(LENGTHS, LONGEST)
DISTANCE_CODES = _codes(DISTANCES, FARTHEST)


@dataclass(frozen=True)
class CodeLengths:
    """Bits of each symbol; 0 for one that does not occur."""

    literals: list[int]
    distances: list[int]


def code_lengths(tokens: list[Token]) -> CodeLengths:
    """The best codes for these tokens and the end of the block."""
    literals, distances = [0] * _LITERAL_SYMBOLS, [0] * len(DISTANCES)
    # Two codes at least: some decoders refuse a set that is not complete.
    literals[0] = literals[END_OF_BLOCK] = 1
    for length, value in tokens:
        if length:
            literals[LENGTH_SYMBOLS + LENGTH_CODES[length]] += 1
            distances[DISTANCE_CODES[value]] += 1
        else:
            literals[value] += 1
    return CodeLengths(
        huffman.lengths(literals, _LONGEST_CODE), huffman.lengths(distances, _LONGEST_CODE)
    )


@functools.lru_cache(maxsize=16)
def tokens(text: bytes, start: int) -> list[Token]:
    """What follows `start`, which may repeat what stands before it.

    What every host's text begins with is then looked at once.
    """
    found = _repetitions(text, start)
    said = _greedy(text, start, found)
    for _ in range(_ROUNDS):
        said = _cheapest(text, start, found, code_lengths(said))
    return said


def _repetitions(text: bytes, start: int) -> list[list[tuple[int, int]]]:
    """(length, distance) at each position from `start`: the nearest of each, longer and longer."""
    found: list[list[tuple[int, int]]] = []
    places: dict[bytes, list[int]] = {}
    for position in range(len(text)):
        beginning = text[position : position + SHORTEST]
        earlier = places.setdefault(beginning, [])
        if position >= start:
            found.append(_longer_and_longer(text, position, earlier[-_MOST_CANDIDATES:]))
        earlier.append(position)
    return found


def _longer_and_longer(text: bytes, position: int, earlier: list[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    best, longest = 0, min(LONGEST, len(text) - position)
    here = text[position : position + longest]
    for candidate in reversed(earlier if longest >= SHORTEST else []):
        if position - candidate > FARTHEST:
            break
        # Only one that is better at its end can be better.
        if best and text[candidate + best] != here[best]:
            continue
        length = SHORTEST
        if text[candidate : candidate + longest] == here:
            length = longest
        while length < longest and text[candidate + length] == here[length]:
            length += 1
        if length > best:
            found.append((length, position - candidate))
            best = length
            if best == longest:
                break
    return found


def _greedy(text: bytes, start: int, found: list[list[tuple[int, int]]]) -> list[Token]:
    """The longest at once, unless there is a longer one a byte later."""
    said: list[Token] = []
    position = 0
    while position < len(found):
        length, distance = found[position][-1] if found[position] else (0, 0)
        if length and position + 1 < len(found):
            later = found[position + 1]
            length = 0 if later and later[-1][0] > length else length
        said.append((length, distance) if length else (0, text[start + position]))
        position += length or 1
    return said


def _cheapest(
    text: bytes, start: int, found: list[list[tuple[int, int]]], codes: CodeLengths
) -> list[Token]:
    """The shortest path through the text, where an edge costs its bits."""
    # A symbol that did not occur yet costs as much as the rarest.
    literals = [bits or max(codes.literals) for bits in codes.literals]
    distances = [bits or max(codes.distances) or _LONGEST_CODE for bits in codes.distances]
    of_length = [
        literals[LENGTH_SYMBOLS + LENGTH_CODES[length]] + LENGTHS[LENGTH_CODES[length]][1]
        for length in range(LONGEST + 1)
    ]
    of_distance = [bits + DISTANCES[code][1] for code, bits in enumerate(distances)]
    unreached = 1 << 60
    bits_until = [0, *([unreached] * len(found))]
    last: list[Token] = [(0, 0)] * (len(found) + 1)
    for position, repetitions in enumerate(found):
        here = bits_until[position]
        byte = text[start + position]
        if here + literals[byte] < bits_until[position + 1]:
            bits_until[position + 1] = here + literals[byte]
            last[position + 1] = (0, byte)
        shortest = SHORTEST
        for longest, distance in repetitions:
            so_far = here + of_distance[DISTANCE_CODES[distance]]
            # Of the longest that there is no part is worth a look.
            first = longest if longest == LONGEST else shortest
            for length in range(first, longest + 1):
                bits = so_far + of_length[length]
                if bits < bits_until[position + length]:
                    bits_until[position + length] = bits
                    last[position + length] = (length, distance)
            shortest = longest + 1
    said: list[Token] = []
    position = len(found)
    while position:
        said.append(last[position])
        position -= last[position][0] or 1
    return said[::-1]
