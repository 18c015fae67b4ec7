"""CLIP's tokens: text to numbers by byte-level pair encoding.

A text is lower-cased and cut into words: runs of letters, single digits, runs of other signs, and
English endings such as 's. A word's UTF-8 bytes are written as one printable character each, the
last with ``</w>`` behind it; then the pair of neighbours that stands highest in a table of merges
is joined, again and again, and what is left is looked up in the vocabulary.

R. Sennrich et al., "Neural machine translation of rare words with subword units", 2016; the byte
alphabet is GPT-2's.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

START, END = "<|startoftext|>", "<|endoftext|>"

_WORD_END = "</w>"
_ENDING = re.compile("'(?:s|t|re|ve|m|ll|d)")


class ClipTokens:
    """The tokens of a published vocabulary.

    Parameters
    ----------
    vocabulary
        Number of each token.
    merges
        Pairs to join, the first ones first.

    Raises
    ------
    ValueError
        When a text might not be expressible: start, end, a byte or a joined pair has no number.
    """

    def __init__(self, vocabulary: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
        self._vocabulary = vocabulary
        self._rank = {pair: rank for rank, pair in enumerate(merges)}
        self._alphabet = _byte_alphabet()
        letters = [letter + end for letter in self._alphabet for end in ("", _WORD_END)]
        joined = [first + second for first, second in merges]
        lacking = [token for token in (START, END, *letters, *joined) if token not in vocabulary]
        if lacking:
            raise ValueError(f"not CLIP's vocabulary: it lacks {len(lacking)} of its tokens")

    def encode(self, text: str) -> list[int]:
        """Numbers of the start token, the text's tokens and the end token."""
        clean = " ".join(unicodedata.normalize("NFC", text).split()).lower()
        tokens = [token for word in _words(clean) for token in self._pieces(word)]
        return [self._vocabulary[token] for token in (START, *tokens, END)]

    def _pieces(self, word: str) -> list[str]:
        pieces = [self._alphabet[byte] for byte in word.encode("utf-8", "surrogatepass")]
        pieces[-1] += _WORD_END
        while known := [pair for pair in pairwise(pieces) if pair in self._rank]:
            pieces = _join(pieces, min(known, key=self._rank.__getitem__))
        return pieces


def _byte_alphabet() -> list[str]:
    """Write a byte as its Latin-1 character if that can be seen, else as one from U+0100 on."""
    seen = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = iter(range(0x100, 0x200))
    return [chr(byte if byte in seen else next(others)) for byte in range(0x100)]


def _words(text: str) -> Iterator[str]:
    start = 0
    while start < len(text):
        if ending := _ENDING.match(text, start):
            end = ending.end()
        else:
            kind, end = _kind(text[start]), start + 1
            while kind != "N" and end < len(text) and _kind(text[end]) == kind:
                end += 1
        if text[start] != " ":
            yield text[start:end]
        start = end


def _kind(character: str) -> str:
    """L letter, N number, Z space, or S for all else."""
    if character.isspace():
        return "Z"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "S"


def _join(pieces: list[str], pair: tuple[str, str]) -> list[str]:
    joined: list[str] = []
    i = 0
    while i < len(pieces):
        width = 2 if tuple(pieces[i : i + 2]) == pair else 1
        joined.append("".join(pieces[i : i + width]))
        i += width
    return joined
