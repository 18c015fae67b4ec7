"""``foley survey-pack``: clips in several conditions -> a listening test -> a report."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleycli.cli import options, survey_form, survey_report, survey_serve
from foleycli.cli.console import command
from foleycli.cli.survey_building import Asked, build_pack
from foleycli.cli.termination import sigterm_interrupts

EPILOG = """\b
Examples:
  foley survey-pack build --videos clips/ --condition ours=made/ --condition base=other/ \\
    --reference clips/ -o study/
  foley survey-pack build --videos clips/ --condition ours=made/ --condition base=other/ \\
    --method pairwise --ratings 20 --trials 24 -o study/
  foley survey-pack build --reference sounds/ --condition ours=pictures/ --method match-one \\
    -o study/
  foley survey-pack form foleygan -o form.toml
  foley survey-pack build --form form.toml --videos clips/ --condition ours=made/ -o study/
  foley survey-pack serve study/
  foley survey-pack report study.responses.sqlite --key study.key.csv

\b
Methods:
  mos        one clip a page, rated from 0 to 10: quality, and synchronicity (FoleyGAN)
  pairwise   two conditions of a clip: which is better, or neither
  mushra     all conditions of a clip and the hidden original, beside the open one
  match-one  media of one condition, one of which was made for the clip (Sound2Scene)
  pick-all   media of all conditions, of which any number fit the clip (Sound2Scene)

\b
Gold items:
  Pages whose answer is known, by which report finds raters who do not listen:
  shifted, the original half a second early or late (only where it has events to be
  late); other-class, the sound of a clip of another class; degraded, low-passed at
  3.5 kHz and noisy; hidden-reference, the original as it is. With mushra the bad ones
  are anchors on every page.

\b
Files:
  PACK/             index.html and all it needs: open it from disk, put it on any web
                    host, or serve it. Nothing in it tells conditions apart.
  PACK.key.csv      what every clip is; keep it away from raters.
  PACK.key.csv.run.json
                    how each was made: loudness, gain, what was cut or padded.
  PACK.STUDY.key.csv
                    the key of a study that was built there before, by its id: the same
                    options and files make the same study, anything else makes another.
  While PACK.responses.sqlite holds answers of a study, no other is built in its place.
"""

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)
app.command("serve", epilog=survey_serve.EPILOG)(survey_serve.serve)
app.command("report", epilog=survey_report.EPILOG)(survey_report.report)
app.command("form", epilog=survey_form.EPILOG)(survey_form.form)


@app.callback()
def survey_pack() -> None:
    """Ask people: a listening test with video that runs in a browser, offline, and its report."""


@app.command("build", epilog=EPILOG)
def build(
    condition: Annotated[
        list[str],
        typer.Option(
            "--condition",
            metavar="NAME=PATH",
            help="Sounds, or films whose sound is taken, or pictures made of sounds; a file for "
            "each clip, of the same name. May be repeated.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option("--output", "-o", metavar="PACK", help="Folder to write.", show_default=False),
    ],
    videos: Annotated[
        list[Path],
        typer.Option(
            "--videos",
            metavar="PATH",
            help="Clips to show; may be repeated. Not needed where pictures are judged.",
            show_default=False,
        ),
    ] = [],  # noqa: B006 (Typer reads the default, nobody writes it)
    reference: Annotated[
        list[Path],
        typer.Option(
            "--reference",
            metavar="PATH",
            help="Original sounds: gold items and the hidden reference are made of them.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    method: Annotated[
        str,
        typer.Option(
            "--method",
            metavar="METHOD",
            help="mos, pairwise, mushra, match-one or pick-all.",
            show_default="that of --form, or mos",
        ),
    ] = "",
    form: Annotated[
        Path | None,
        typer.Option(
            "--form",
            metavar="FILE",
            help="Questions and texts, TOML; foley survey-pack form writes one to begin with.",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--key", metavar="FILE", help="Where the key goes.", show_default="PACK.key.csv"
        ),
    ] = None,
    ratings: Annotated[
        int, typer.Option("--ratings", min=1, metavar="K", help="Times each page is rated.")
    ] = 10,
    trials: Annotated[
        int | None,
        typer.Option(
            "--trials",
            min=1,
            metavar="N",
            help="Pages in a plan, gold items apart.",
            show_default="each clip once",
        ),
    ] = None,
    golds: Annotated[
        str,
        typer.Option(
            "--golds",
            metavar="A,B,...",
            help="Kinds of gold items, or none.",
            show_default="all that questions and clips allow",
        ),
    ] = "",
    gold_rate: Annotated[
        float,
        typer.Option(
            "--gold-rate",
            min=0.0,
            max=0.5,
            metavar="SHARE",
            help="Share of a plan's pages that are gold.",
        ),
    ] = 0.1,
    choices: Annotated[
        int | None,
        typer.Option(
            "--options",
            min=2,
            metavar="N",
            help="Media on a page of choices.",
            show_default="4 to match one, 5 to pick from",
        ),
    ] = None,
    open_reference: Annotated[
        bool,
        typer.Option(
            "--open-reference", help="Show the original beside every page, named as such."
        ),
    ] = False,
    loudness: Annotated[
        float,
        typer.Option(
            "--loudness", min=-60.0, max=-10.0, metavar="LUFS", help="Loudness of all sounds."
        ),
    ] = -23.0,
    keep_levels: Annotated[
        bool, typer.Option("--keep-levels", help="Leave the loudness of sounds as it is.")
    ] = False,
    collect_url: Annotated[
        str,
        typer.Option(
            "--collect-url",
            metavar="URL",
            help="Also send answers there: JSON by POST. Not needed for foley survey-pack serve.",
            show_default=False,
        ),
    ] = "",
    completion_code: Annotated[
        str,
        typer.Option(
            "--completion-code",
            metavar="TEXT",
            help="Code to show at the end.",
            show_default=False,
        ),
    ] = "",
    redirect: Annotated[
        str,
        typer.Option(
            "--redirect",
            metavar="URL",
            help="Where a link at the end leads; what the platform passed in is passed on.",
            show_default=False,
        ),
    ] = "",
    seed: Annotated[
        int, typer.Option("--seed", min=0, metavar="N", help="Seed of plans, golds and names.")
    ] = 0,
    jobs: options.Jobs = 1,
    dry_run: options.DryRun = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the paths written.")
    ] = False,
    no_clobber: options.NoClobber = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Make a listening test: a folder that any browser opens, and the key to it.

    Every clip is shown in every condition, equally often, in balanced order; sounds are brought to
    one loudness, and to the length of their picture. A clip that lacks a file in some condition is
    named and left out.
    """
    with (
        command("survey-pack build", quiet=quiet, verbose=verbose) as console,
        sigterm_interrupts(),
    ):
        asked = Asked(
            videos=videos, conditions=condition, reference=reference, method=method, form=form,
            ratings=ratings, trials=trials, golds=golds, gold_rate=gold_rate, choices=choices,
            open_reference=open_reference, lufs=None if keep_levels else loudness,
            collect_url=collect_url, completion_code=completion_code, redirect=redirect, seed=seed,
        )  # fmt: skip
        build_pack(
            console, asked, output, key, jobs,
            dry_run=dry_run, as_json=as_json, no_clobber=no_clobber,
        )  # fmt: skip
