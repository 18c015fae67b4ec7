"""The YAML that a training run keeps beside its weights: read for numbers and words alone.

It is what OmegaConf and ``yaml.dump`` write: blocks of mappings and lists by indentation, lists and
mappings in brackets on one line, quoted and plain scalars. Tags (``!!python/object:...``) say which
class a value was of, and are passed over: nothing is looked up or made. Numbers are YAML 1.2's, so
that ``1e-6`` is one, where YAML 1.1 takes it for a word.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

_PREFIX = re.compile(r"(?:[!&][^\s]*(?:\s+|$))+")  # tags and anchors
_KEY = re.compile(r"""("[^"]*"|'[^']*'|[^\s"'\[\]{},#&*!|>-][^:#]*?|-[^\s:][^:#]*?)\s*:(?:\s+|$)""")
_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_WORD = re.compile(r"""\s*(?:"[^"]*"|'(?:[^']|'')*'|[^,\[\]{}]*)""")
_WORDS = {"": None, "null": None, "~": None, "true": True, "false": False}
_DEEPEST = 40

_Line = tuple[int, str]


def read_settings(text: str) -> Any:
    """Read a document: dictionaries, lists, text, numbers, booleans and None.

    Raises
    ------
    ValueError
        When it is not YAML of that kind.
    """
    lines: list[_Line] = []
    for line in text.splitlines():
        bare = _without_comment(line).rstrip()
        content = _untagged(bare.lstrip(" "))
        if content and content not in ("---", "..."):
            lines.append((len(bare) - len(bare.lstrip(" ")), content))
    if not lines:
        return None
    value, rest = _block(lines, 0, _DEEPEST)
    if rest < len(lines):
        raise ValueError(f"not the YAML of a training run: {lines[rest][1][:40]!r}")
    return value


def merged(first: Any, second: Any) -> Any:
    """Return ``first`` with ``second`` laid over it, mapping into mapping."""
    if not (isinstance(first, Mapping) and isinstance(second, Mapping)):
        return second
    return {**first, **{key: merged(first.get(key), value) for key, value in second.items()}}


def _without_comment(line: str) -> str:
    quote = before = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote else quote
        elif letter in "'\"" and before in ("", " ", "[", "{", ","):
            quote = letter
        elif letter == "#" and before in ("", " "):
            return line[:place]
        before = letter
    return line


def _block(lines: list[_Line], at: int, depth: int) -> tuple[Any, int]:
    """Read what begins at a line and is indented as that; return it and the line after."""
    if not depth:
        raise ValueError("not the YAML of a training run: nested too deeply")
    indent, text = lines[at]
    if _is_item(text):
        return _sequence(lines, at, indent, depth)
    if _KEY.match(text):
        return _mapping(lines, at, indent, depth)
    words, at = _continued(lines, at + 1, indent - 1, text)
    return _scalar(words), at


def _sequence(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[list[Any], int]:
    values: list[Any] = []
    while at < len(lines) and lines[at][0] == indent and _is_item(lines[at][1]):
        content = lines[at][1][1:]
        bare = _untagged(content.strip())
        if bare:  # the item's own block begins on this line
            inside = indent + 1 + len(content) - len(content.lstrip())
            lines[at] = (inside, bare)
            value, at = _block(lines, at, depth - 1)
        else:
            value, at = _nested(lines, at + 1, indent, depth)
        values.append(value)
    return values, at


def _mapping(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[dict[str, Any], int]:
    values: dict[str, Any] = {}
    while at < len(lines) and lines[at][0] == indent and (key := _KEY.match(lines[at][1])):
        name = str(_unquoted(key[1]))
        content = _untagged(lines[at][1][key.end() :])
        if content in ("|", "|-", ">", ">-"):
            values[name], at = _continued(lines, at + 1, indent, "")
        elif content:
            words, at = _continued(lines, at + 1, indent, content)
            values[name] = _scalar(words)
        elif at + 1 < len(lines) and lines[at + 1][0] == indent and _is_item(lines[at + 1][1]):
            values[name], at = _sequence(lines, at + 1, indent, depth - 1)
        else:
            values[name], at = _nested(lines, at + 1, indent, depth)
    return values, at


def _nested(lines: list[_Line], at: int, indent: int, depth: int) -> tuple[Any, int]:
    if at < len(lines) and lines[at][0] > indent:
        return _block(lines, at, depth - 1)
    return None, at


def _continued(lines: list[_Line], at: int, indent: int, text: str) -> tuple[str, int]:
    """Join the lines over which a long scalar was folded."""
    words = [text] if text else []
    plain = bool(text) and text[0] not in "'\""
    while at < len(lines) and lines[at][0] > indent:
        if plain and _KEY.match(lines[at][1]):
            raise ValueError(f"not the YAML of a training run: {lines[at][1][:40]!r}")
        words.append(lines[at][1])
        at += 1
    return " ".join(words), at


def _is_item(text: str) -> bool:
    return text == "-" or text.startswith("- ")


def _untagged(text: str) -> str:
    found = _PREFIX.match(text)
    return text[found.end() :] if found else text


def _scalar(text: str) -> Any:
    if text.startswith(("[", "{")):
        value, rest = _flow(text, _DEEPEST)
        if rest.strip():
            raise ValueError(f"not the YAML of a training run: {text[:40]!r}")
        return value
    return _unquoted(text)


def _flow(text: str, depth: int) -> tuple[Any, str]:
    """Read what stands in brackets; return it and the rest of the line."""
    mapping, end = text[0] == "{", {"[": "]", "{": "}"}[text[0]]
    values: list[Any] = []
    names: list[str] = []
    text = text[1:].lstrip()
    while text and not text.startswith(end):
        if mapping:
            key = _KEY.match(text)
            if not key:
                break
            names.append(str(_unquoted(key[1])))
            text = text[key.end() :]
        if text.startswith(("[", "{")) and depth:
            value, text = _flow(text, depth - 1)
        else:
            found = _WORD.match(text)
            assert found  # of nothing, if need be
            value, text = _unquoted(found[0].strip()), text[found.end() :]
        values.append(value)
        text = text.lstrip()
        if text.startswith(","):
            text = text[1:].lstrip()
        elif not text.startswith(end):
            break
    if not text.startswith(end):
        raise ValueError("not the YAML of a training run: brackets are not closed")
    return (dict(zip(names, values, strict=True)) if mapping else values), text[1:]


def _unquoted(text: str) -> Any:
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        return text[1:-1].replace("''", "'") if text[0] == "'" else text[1:-1]
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    if _NUMBER.fullmatch(text):
        return int(text) if re.fullmatch(r"[-+]?\d+", text) else float(text)
    return text
