"""Man pages and shell completions, written from the command tree: they cannot disagree with it.

``python -m foleycli.cli.reference`` writes ``man/`` and ``completions/``; with ``--check`` it
writes nothing and fails, naming the files that differ. Pages bear no date and are made with the
Typer that ``constraints.txt`` names. A command's docstring becomes DESCRIPTION, the blocks of its
epilog become EXAMPLES, FILES and whatever else they are headed with: the help and the page say the
same.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined]

from foleycli import __version__
from foleycli.cli.console import EXIT_STATUS
from foleycli.cli.main import app

ROOT = Path(__file__).resolve().parents[2]
COMPLETIONS = {"bash": "foley.bash", "zsh": "_foley", "fish": "foley.fish"}
ENVIRONMENT = {
    "FOLEY_DEVICE": "Device that networks run on, as --device.",
    "NO_COLOR": "If set, no colours.",
    "SLURM_ARRAY_TASK_ID, SLURM_ARRAY_TASK_COUNT": "The part to do, under --shard auto.",
}


def commands() -> Iterator[tuple[Any, Any]]:
    """Walk the tree; yields each command with the context that knows its full name."""
    root = typer.main.get_command(app)
    yield from _walk(root, "foley", None)


def _walk(command: Any, name: str, parent: Any) -> Iterator[tuple[Any, Any]]:
    settings = command.context_settings
    context = command.context_class(command, info_name=name, parent=parent, **settings)
    yield command, context
    for child_name, child in getattr(command, "commands", {}).items():
        yield from _walk(child, child_name, context)


def page_name(context: Any) -> str:
    """``foley-train-foleygan`` for the context of ``foley train foleygan``."""
    return "-".join([*([page_name(context.parent)] if context.parent else []), context.info_name])


def files() -> dict[str, str]:
    """Return every generated file: its path under the repository, and its contents."""
    made = {}
    tree = list(commands())
    names = [page_name(context) for _, context in tree]
    for (command, context), name in zip(tree, names, strict=True):
        made[f"man/{name}.1"] = man_page(command, context, names)
    for shell, name in COMPLETIONS.items():
        script = get_completion_script(
            prog_name="foley", complete_var="_FOLEY_COMPLETE", shell=shell
        )
        made[f"completions/{name}"] = script + "\n"
    return made


def man_page(command: Any, context: Any, names: list[str]) -> str:
    """Write one command's page in roff, man(7)."""
    title = page_name(context)
    summary, _, description = (command.help or "").partition("\n\n")
    summary = " ".join(summary.split())
    usage = " ".join(command.collect_usage_pieces(context)).replace("{INPUT}", "INPUT")
    page = [
        f'.TH {_roff(title).upper()} 1 "" "foley {__version__}" "User Commands"',
        *(".SH NAME", f"{_roff(title)} \\- {_roff(summary[0].lower() + summary[1:].rstrip('.'))}"),
        *(".SH SYNOPSIS", f".B {_roff(title.replace('-', ' '))}", _roff(usage)),
        *(".SH DESCRIPTION", *_paragraphs(f"{summary}\n\n{description}")),
    ]
    parameters = [p for p in command.get_params(context) if not getattr(p, "hidden", False)]
    for section, kind in (("ARGUMENTS", "argument"), ("OPTIONS", "option")):
        records = [_record(p, context, kind) for p in parameters if p.param_type_name == kind]
        page += _definitions(section, records)
    children = getattr(command, "commands", {}).items()
    page += _definitions(
        "COMMANDS", [(name, child.get_short_help_str(200)) for name, child in children]
    )
    page += _epilog(command.epilog or "")
    page += _definitions("EXIT STATUS", [(str(c), text) for c, text in EXIT_STATUS.items()])
    page += _definitions("ENVIRONMENT", list(ENVIRONMENT.items()))
    others = [f".BR {_roff(name)} (1)" for name in names if name != title]
    page += [".SH SEE ALSO", *[f"{other}," for other in others[:-1]], *others[-1:]]
    return "\n".join(page) + "\n"


def _record(parameter: Any, context: Any, kind: str) -> tuple[str, str]:
    left, text = parameter.get_help_record(context)
    if kind == "argument":
        left = parameter.metavar or parameter.name
    elif "--help" in parameter.opts:  # Typer's record leaves -h out
        left = ", ".join(sorted(parameter.opts, key=len))
    return left, text


def _definitions(section: str, records: list[tuple[str, str]]) -> list[str]:
    lines = [f".SH {section}"] if records else []
    for left, text in records:
        lines += [".TP", f".B {_roff(left)}", _roff(text)]
    return lines


def _paragraphs(text: str) -> list[str]:
    lines: list[str] = []
    for paragraph in text.strip().split("\n\n"):
        lines += [".PP", _roff(" ".join(paragraph.split()))]
    return lines[1:]


def _epilog(text: str) -> list[str]:
    """Turn the blocks of an epilog, title and indented lines, into sections set as they stand."""
    lines: list[str] = []
    for block in text.split("\b\n")[1:]:
        title, _, body = block.strip("\n").partition("\n")
        shown = [_roff(line.removeprefix("  ")) for line in body.split("\n")]
        lines += [f".SH {title.rstrip(':').upper()}", ".nf", *shown, ".fi"]
    return lines


def _roff(text: str) -> str:
    """Escape what roff would take for its own."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("^", "\\(ha").replace("~", "\\(ti")
    return f"\\&{text}" if text.startswith((".", "'")) else text


def main(arguments: list[str]) -> int:
    """Write the files, or with ``--check`` say which are not as they would be written."""
    made = files()
    there = {
        path.relative_to(ROOT).as_posix(): path
        for folder in ("man", "completions")
        for path in (ROOT / folder).glob("*")
    }
    stale = [name for name, path in there.items() if name not in made]
    changed = [
        name
        for name, text in made.items()
        if name not in there or there[name].read_text(encoding="utf-8") != text
    ]
    if arguments == ["--check"]:
        for name in changed + stale:
            typer.echo(f"{name}: not what the command tree says; run make man", err=True)
        return int(bool(changed + stale))
    for name in changed:
        (ROOT / name).parent.mkdir(exist_ok=True)
        (ROOT / name).write_text(made[name], encoding="utf-8")
        typer.echo(name)
    for name in stale:
        there[name].unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
