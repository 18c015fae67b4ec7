"""``foley survey-pack report``: answers and the key -> what the study found."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import options
from foleycli.cli.console import Exit, command

if TYPE_CHECKING:
    from foleycli.survey.report import SurveyReport

PIPE_WIDTH = 100
_FORMS = ("json", "csv", "markdown", "latex")

EPILOG = """\b
Examples:
  foley survey-pack report study.responses.sqlite --key study.key.csv
  foley survey-pack report answers/*.json --key study.key.csv --table foleygan-vii --markdown
  foley survey-pack report answers/*.csv --key study.key.csv --csv --plot study.pdf > study.csv

\b
Figures:
  Means have intervals by a bootstrap over raters and clips at once; shares have
  Wilson's, on as many choices as they are worth. Conditions are compared by Wilcoxon's
  signed-rank test (ratings) or the binomial test and Bradley-Terry strengths (choices),
  with Holm's correction. Agreement is Krippendorff's alpha.

\b
Who is left out, each named with the reason:
  failed golds     more than --most-failed of them, and at least --least-failed. With mos the
                   hidden reference is no ground: it may please less. With mushra a page is
                   failed by a hidden reference below 90, or below an anchor (BS.1534): this
                   raises its mean, and its figures say so
  too fast         answered faster than the shortest clip lasts
  straight-lining  the same answer to everything
  not played       clips that were not played to the end
  incomplete       less than --least-complete of the pages

All of them are listed by --markdown, --latex, --csv and --json; text names the first 20.
"""


def report(
    responses: Annotated[
        list[Path],
        typer.Argument(
            metavar="RESPONSES",
            help="Answers: JSON or CSV files that participants downloaded, or the database of "
            "foley survey-pack serve.",
            show_default=False,
        ),
    ],
    key: Annotated[
        Path,
        typer.Option("--key", metavar="FILE", help="The key that build wrote.", show_default=False),
    ],
    pack: Annotated[
        Path | None,
        typer.Option(
            "--pack",
            metavar="PACK",
            help="The pack.",
            show_default="the key's name without .key.csv",
        ),
    ] = None,
    no_exclude: Annotated[bool, typer.Option("--no-exclude", help="Leave nobody out.")] = False,
    most_failed: Annotated[
        float | None,
        typer.Option(
            "--most-failed",
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="Share of gold items, or of mushra's pages, that may be failed.",
            show_default="0.5; mushra 0.15",
        ),
    ] = None,
    least_failed: Annotated[
        int,
        typer.Option(
            "--least-failed",
            min=1,
            metavar="N",
            help="Who failed fewer is not left out for them, whatever their share.",
        ),
    ] = 2,
    least_complete: Annotated[
        float,
        typer.Option(
            "--least-complete",
            min=0.0,
            max=1.0,
            metavar="SHARE",
            help="Share of pages that must be answered.",
        ),
    ] = 0.8,
    least_seconds: Annotated[
        float | None,
        typer.Option(
            "--least-seconds",
            min=0.0,
            metavar="S",
            help="A page that was answered in less is too fast.",
            show_default="the shortest clip",
        ),
    ] = None,
    table: Annotated[
        str,
        typer.Option(
            "--table",
            metavar="NAME",
            help="Print a paper's table with its published rows: foleygan-vii.",
            show_default=False,
        ),
    ] = "",
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Also draw the figures: .png, .svg or .pdf.",
            show_default=False,
        ),
    ] = None,
    level: Annotated[
        float, typer.Option("--level", min=0.5, max=0.999, help="Level of intervals.")
    ] = 0.95,
    replicates: Annotated[
        int, typer.Option("--replicates", min=99, metavar="N", help="Of the bootstrap.")
    ] = 999,
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="Seed of the bootstrap.")
    ] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line a figure.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX tables.")] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Say what raters said: by class and condition, with intervals, tests, agreement.

    Rules about who is left out are fixed beforehand, and everybody they meet is listed. Answers
    that do not belong to the study are refused and named, and the exit code is 1; where no answers
    are left it is 2, and the reasons are said. The same files and options give the same report, in
    whatever order.
    """
    with command("survey-pack report", quiet=quiet, verbose=verbose) as console:
        asked_for = zip(_FORMS, (as_json, as_csv, as_markdown, as_latex), strict=True)
        forms = [form for form, on in asked_for if on]
        if len(forms) > 1:
            raise ValueError(f"--{forms[0]} and --{forms[1]}: choose one")
        from foleycli.survey.exclusions import Rules
        from foleycli.survey.pack import shortest_s
        from foleycli.survey.plot import SUFFIXES, draw_report
        from foleycli.survey.published_ratings import check_table
        from foleycli.survey.report import make_report
        from foleycli.survey.responses import collect_responses
        from foleycli.survey.study import read_study

        if plot and plot.suffix.lower() not in SUFFIXES:
            raise ValueError(f"--plot {plot}: the suffix must be one of {' '.join(SUFFIXES)}")
        folder = pack or _pack_of(key)
        study = read_study(folder, key)
        if table:
            check_table(table, study.form)
        fastest_s = shortest_s(folder) if least_seconds is None else least_seconds
        rules = Rules(
            most_failed=Rules.most_failed if most_failed is None else most_failed,
            most_failed_mushra=Rules.most_failed_mushra if most_failed is None else most_failed,
            least_failed=least_failed,
            least_complete=least_complete,
            least_ms=1000 * fastest_s,
        )
        collected = collect_responses(responses, study)
        made = make_report(
            *(collected, study, None if no_exclude else rules),
            level=level,
            replicates=replicates,
            seed=seed,
        )
        typer.echo(_rendered(made, forms[0] if forms else "text", table), nl=False)
        if plot:
            draw_report(plot, made)
        if as_csv:  # which has no room for them
            for line in made.warnings:
                console.note(line)
        if collected.refusals:
            for where, reason in made.failures.items():
                console.error(f"{where}: {reason}")
            raise typer.Exit(Exit.FAILED)


def _pack_of(key: Path) -> Path:
    name = key.name.removesuffix(".key.csv")
    if name == key.name or not key.with_name(name).is_dir():
        raise ValueError(f"--key {key}: its pack is not beside it; give --pack")
    return key.with_name(name)


def _rendered(made: SurveyReport, form: str, table: str) -> str:
    """Put a report, or a paper's table of it, into ``text``, ``json``, ``csv`` and so on."""
    from foleycli.survey import published_ratings, report_records, report_tables

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPE_WIDTH
    if form == "json":
        whole = report_records.as_dict(made)
        shown: dict[str, Any] = published_ratings.as_dict(made, table) if table else whole
        if table:
            kept = ("exclusions", "comments", "warnings", "refusals", "manifest")
            shown |= {name: whole[name] for name in kept}
        return json.dumps(shown, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if form == "csv":
        return published_ratings.as_csv(made, table) if table else report_records.as_csv(made)
    if form == "markdown":
        return (
            published_ratings.as_markdown(made, table) if table else report_tables.as_markdown(made)
        )
    if form == "latex":
        return published_ratings.as_latex(made, table) if table else report_tables.as_latex(made)
    return (
        published_ratings.as_text(made, table, width)
        if table
        else report_tables.as_text(made, width)
    )
