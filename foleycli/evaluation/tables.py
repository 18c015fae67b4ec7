"""A table of figures and its three looks: aligned text, Markdown, LaTeX.

A cell has two parts, the figure and what qualifies it, ``12.31`` and ``[11.20, 13.40]``, so that
text can align each.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

LEAST_WIDTH = 60  # narrower is not possible: a title beside one column of the longest figures
_HEADING_CHARACTERS = 16  # longer headings take several lines
_LEAST_TITLE = 10
_GAP = "  "
_INDENT = "  "


@dataclass(frozen=True)
class Cell:
    """One figure as shown.

    Attributes
    ----------
    value : str
        Empty where nothing is to be shown.
    extra : str
        Interval, spread or probability.
    best : bool
        Set in bold where there is bold.
    """

    value: str = ""
    extra: str = ""
    best: bool = False


MISSING = Cell("-")


@dataclass(frozen=True)
class Row:
    """A title, and a cell for each heading."""

    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Table:
    """Rows under headings.

    Attributes
    ----------
    title : str
        Heads the column of row titles.
    headings : tuple of str
    rows : tuple of Row
    notes : tuple of str
        Said below, a line each.
    """

    title: str
    headings: tuple[str, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()


def text(table: Table, width: int | None = None) -> str:
    """Lay a table out in aligned columns.

    Columns that do not fit side by side go below, under the same row titles; headings and titles
    take several lines where they must, and no line is longer than ``width``.

    Parameters
    ----------
    width : int, optional
        In characters, counted as 60 where it is less. None: one block, however wide.
    """
    columns = [
        _Column.of(heading, [row.cells[i] for row in table.rows])
        for i, heading in enumerate(table.headings)
    ]
    titles = [plain(title) for title in (table.title, *(row.title for row in table.rows))]
    room = max(1, *map(len, titles))
    if width is not None:
        width = max(width, LEAST_WIDTH)
        beside = width - len(_GAP) - max((column.width for column in columns), default=0)
        room = min(room, max(beside, _LEAST_TITLE))
    blocks = _blocks(columns, None if width is None else width - room)
    laid = [_block(titles, room, block) for block in blocks]
    if table.notes:
        laid.append("\n".join(prose(note, width) for note in table.notes))
    return "\n\n".join(laid)


def markdown(table: Table) -> str:
    """Write a table in Markdown, the best figure of each row in bold."""
    lines = [
        _markdown_line([table.title, *table.headings]),
        "|".join(["", " :--- ", *(" ---: " for _ in table.headings), ""]),
    ]
    for row in table.rows:
        cells = [_markdown_cell(cell) for cell in row.cells]
        lines.append(f"| {' | '.join([markdown_text(row.title), *cells])} |")
    notes = [f"- {markdown_text(note)}" for note in table.notes]
    return "\n".join([*lines, *([""] if notes else []), *notes])


def latex(table: Table) -> str:
    r"""Write a LaTeX ``tabular`` for ``\usepackage{booktabs}``, the best of each row in bold."""
    rows = [[_latex_title(row.title), *map(_latex_cell, row.cells)] for row in table.rows]
    head = [_latex_title(table.title), *map(latex_text, table.headings)]
    lines = [
        rf"\begin{{tabular}}{{l{'r' * len(table.headings)}}}",
        r"\toprule",
        rf"{' & '.join(head)} \\",
        r"\midrule",
        *(rf"{' & '.join(row)} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        *(f"% {plain(note)}" for note in table.notes),
    ]
    return "\n".join(lines)


def plain(words: str) -> str:
    """Replace what a terminal would obey rather than show: names of files are not ours."""
    return "".join(c if c.isprintable() else "?" for c in words)


def prose(line: str, width: int | None = None, indent: str = "") -> str:
    """Wrap a line of text; what follows the first is set in by two more."""
    line = plain(line)
    if width is None:
        return indent + line
    return textwrap.fill(
        line,
        max(width, LEAST_WIDTH),
        initial_indent=indent,
        subsequent_indent=indent + _INDENT,
        break_on_hyphens=False,
    )


def markdown_text(words: str) -> str:
    """Escape what Markdown, or a table of it, would read as its own."""
    return re.sub(r"([\\|*_`<>\[\]#])", r"\\\1", plain(words))


_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\to$",
    **{c: f"\\{c}" for c in "&%$#_{}"},
}


def latex_text(words: str) -> str:
    """Escape what LaTeX would read as its own."""
    return "".join(_LATEX.get(c, c) for c in plain(words))


@dataclass(frozen=True)
class _Column:
    heading: tuple[str, ...]
    cells: tuple[str, ...]
    width: int

    @classmethod
    def of(cls, heading: str, cells: Sequence[Cell]) -> _Column:
        parts = [plain(cell.value).partition(".") for cell in cells]
        left = max((len(whole) for whole, _, _ in parts), default=0)
        right = max((len(dot + rest) for _, dot, rest in parts), default=0)
        shown = [
            f"{whole:>{left}}{dot + rest:<{right}} {plain(cell.extra)}".rstrip()
            for (whole, dot, rest), cell in zip(parts, cells, strict=True)
        ]
        widest = max((len(one) for one in shown), default=0)
        wrapped = textwrap.wrap(
            plain(heading), max(widest, _HEADING_CHARACTERS), break_on_hyphens=False
        )
        return cls(tuple(wrapped), tuple(shown), max(widest, *map(len, wrapped or [""])))


def _blocks(columns: Sequence[_Column], room: int | None) -> list[list[_Column]]:
    """Part columns into runs that fit beside the titles; one run, maybe empty, at least."""
    blocks: list[list[_Column]] = [[]]
    used = 0
    for column in columns:
        needs = len(_GAP) + column.width
        if room is not None and blocks[-1] and used + needs > room:
            blocks.append([])
            used = 0
        blocks[-1].append(column)
        used += needs
    return blocks


def _block(titles: Sequence[str], room: int, columns: Sequence[_Column]) -> str:
    head, *bodies = (textwrap.wrap(t, room, subsequent_indent=_INDENT) or [""] for t in titles)
    lines = []
    depth = max(len(head), *(len(column.heading) for column in columns), 1)
    sunk = [_sunk(one, depth) for one in (head, *(column.heading for column in columns))]
    widths = [room, *(column.width for column in columns)]
    lines += [_line([one[level] for one in sunk], widths) for level in range(depth)]
    lines.append(_line(["-" * width for width in widths], widths))
    for i, title in enumerate(bodies):
        if columns and not any(column.cells[i] for column in columns):
            continue  # it has figures in another block
        lines.append(_line([title[0], *(column.cells[i] for column in columns)], widths))
        lines += title[1:]
    return "\n".join(lines)


def _sunk(lines: Sequence[str], depth: int) -> list[str]:
    """Fill up from above: headings stand on the rule."""
    return [""] * (depth - len(lines)) + list(lines)


def _line(words: Sequence[str], widths: Sequence[int]) -> str:
    pairs = zip(words, widths, strict=True)
    return _GAP.join(f"{word:<{width}}" for word, width in pairs).rstrip()


def _markdown_line(words: Sequence[str]) -> str:
    return f"| {' | '.join(markdown_text(word) for word in words)} |"


def _markdown_cell(cell: Cell) -> str:
    value = markdown_text(cell.value)
    return f"{f'**{value}**' if cell.best else value} {plain(cell.extra)}".strip()


def _latex_title(title: str) -> str:
    """Begin a row: what comes before it would take a bracket or a star for its argument."""
    shown = latex_text(title)
    return f"{{}}{shown}" if shown.startswith(("[", "*")) else shown


def _latex_cell(cell: Cell) -> str:
    value, extra = (
        re.sub(r"-(?=\d)", "$-$", latex_text(part)) for part in (cell.value, cell.extra)
    )
    shown = rf"\textbf{{{value}}}" if cell.best else "--" if value == "-" else value
    return f"{shown} {extra}".strip()
