"""``foley survey-pack form``: questions and texts to begin with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleycli.cli import options
from foleycli.cli.console import command
from foleycli.files.atomic import write_text

EPILOG = """\b
Examples:
  foley survey-pack form foleygan -o form.toml
  foley survey-pack form mos -o form.toml --no-clobber
  foley survey-pack form mushra > form.toml

\b
Forms:
  foleygan   quality and synchronicity from 0 to 10: what --method mos asks
  mos        the same from 1 to 5
  mushra, pairwise, match-one, pick-all
             what these methods ask
"""


def form(
    name: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Form to begin with.", show_default=True)
    ] = "foleygan",
    output: Annotated[
        str, typer.Option("--output", "-o", metavar="FILE", help="File to write; - prints it.")
    ] = "-",
    no_clobber: options.NoClobber = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Write a form to be edited, for build --form: questions, consent, every word of the page."""
    with command("survey-pack form", quiet=quiet, verbose=verbose) as console:
        from foleycli.survey.questions import FORMS
        from foleycli.survey.words import form_and_words_toml

        if name not in FORMS:
            raise ValueError(f"no form {name}; there are {', '.join(FORMS)}")
        text = form_and_words_toml(FORMS[name])
        if output == "-":
            typer.echo(text, nl=False)
            return
        if no_clobber and Path(output).exists():
            console.note(f"{output}: exists, left as it is")
        else:
            write_text(output, text)
        typer.echo(output)
