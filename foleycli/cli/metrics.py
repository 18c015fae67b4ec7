"""``foley metrics``: generated sets against a real one -> figures that a reviewer can trust."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from foleycli.cli import options
from foleycli.cli.console import Exit, command
from foleycli.cli.metrics_inputs import metric_names, side_of, systems_of, video_paths
from foleycli.cli.metrics_output import per_file_rows, rendered, unmet
from foleycli.cli.metrics_stats import EPILOG as STATS_EPILOG
from foleycli.cli.metrics_stats import MeansStds, NetworkOption, stats
from foleycli.cli.processes import compute_in_one_thread, processes
from foleycli.files.atomic import write_text

EPILOG = """\b
Examples:
  foley metrics --real recordings/ --fake made/
  foley metrics --real recordings/ --fake ours=made/ --fake base=other/ --video clips/
  foley metrics stats recordings/ -o real.npz && foley metrics --real real.npz --fake made/
  foley metrics --real recordings/ --fake made/ --table foleygan-ii --markdown > table.md
  foley metrics --real recordings/ --fake made/ --fail-over kid=0.02 --fail-under accuracy=0.6
  foley metrics --real recordings/ --fake made/ --baseline shaped-noise --per-class

\b
Sides:
  A side is a folder, a manifest, files, a statistics file, or the .npz or .npy of another
  tool: embeddings (n, d) under the name embeddings or features, and if wanted logits,
  ids, labels and classes. --real may be repeated: all of it is one set. Each --fake is a
  system; NAME=PATH names it. A file's class is that of the manifest, or the folder it
  lies in (DIR/rain/a.wav is of class rain), or that of its real partner.
  A generated file belongs to the real file of the same name within its folder, or of
  the same name in any; NAME_sample_0.wav, NAME_sample_1.wav ... are samples of one clip.

\b
Columns:
  real/real      a part of the real set against the rest: what a figure is where nothing
                 differs. The part is as large as the generated set, or half of the real one;
                 with fewer files distances are larger for that alone. Inception Score,
                 accuracy and levels are those of the whole real set.
  baseline ...   shaped-noise: white noise with the spectrum of the class and the loudness
                 of another recording: nothing is learned, the floor to beat. real: another
                 recording of the class put at the clip's onsets: the ceiling.
  ground truth, +40 ms, +100 ms, +200 ms, shuffled
                 the true sound in time, late, and that of another clip: what a figure of
                 synchrony can see.

\b
Figures:
  [low, high]    interval at --level: bootstrap over clips, corrected for bias; Wilson's of
                 proportions; the jackknife's of kid.
  +- spread      standard deviation over splits or subsets, as published tables have it.
  p              chance that two alike systems lie as far apart: permutation test, clip by
                 clip where both have the same.
  What each figure is stands in --json ("about"), and in the modules of foleycli.metrics.
  R@K takes one sample a clip. CondFoleyGen's, SyncFusion's and MMAudio's figures are what
  their code computes, defects included: a silent sound has an AP of 1.
"""

app = typer.Typer(invoke_without_command=True, rich_markup_mode=None, no_args_is_help=True)
app.command("stats", epilog=STATS_EPILOG)(stats)

_FORMS = ("json", "csv", "markdown", "latex")


@app.callback(epilog=EPILOG)
def metrics(
    context: typer.Context,
    real: Annotated[
        list[str],
        typer.Option(
            "--real", metavar="PATH", help="The real set; may be repeated.", show_default=False
        ),
    ] = [],  # noqa: B006 (Typer reads the default, nobody writes it)
    fake: Annotated[
        list[str],
        typer.Option(
            "--fake",
            metavar="[NAME=]PATH",
            help="A generated set; repeated, each is a system, and the first is compared with "
            "every other.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    video: Annotated[
        list[Path],
        typer.Option(
            "--video",
            metavar="PATH",
            help="Pictures of the clips, by name: synchrony with what is seen. May be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    wanted: Annotated[
        str,
        typer.Option(
            "--metrics",
            metavar="A,B,...",
            help="Figures or groups (sets, pairs, sync, levels, pictures), by the names that "
            "--json gives them.",
            show_default="all that can be had",
        ),
    ] = "",
    network: NetworkOption = "classifier",
    means_stds: MeansStds = None,
    baseline: Annotated[
        list[str],
        typer.Option(
            "--baseline",
            metavar="KIND",
            help="Also report shaped-noise or real, made of the real set; may be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    clip: Annotated[
        Path | None,
        typer.Option(
            "--clip",
            metavar="DIR",
            help="CLIP weights for pictures: model.safetensors, config.json and tokenizer.json.",
            show_default=False,
        ),
    ] = None,
    informativity: Annotated[
        Path | None,
        typer.Option(
            "--informativity",
            metavar="DIR",
            help="Informativity networks for pictures: CLASS.safetensors or CLASS.pth.",
            show_default=False,
        ),
    ] = None,
    ndb_k: Annotated[
        int | None,
        typer.Option(
            "--ndb-k",
            min=2,
            metavar="K",
            help="Bins a class of NDB.",
            show_default="50, and less under 1000 real files a class",
        ),
    ] = None,
    ndb_bins: Annotated[
        Path | None,
        typer.Option(
            "--ndb-bins",
            metavar="FILE",
            help="Bins of NDB with the real files in each: read if it is there, else written, so "
            "that other sets are put into the same.",
            show_default=False,
        ),
    ] = None,
    level: Annotated[
        float, typer.Option("--level", min=0.5, max=0.999, help="Level of intervals.")
    ] = 0.95,
    replicates: Annotated[
        int, typer.Option("--replicates", min=100, metavar="N", help="Bootstrap and permutations.")
    ] = 1000,
    allow_unpaired: Annotated[
        bool,
        typer.Option(
            "--allow-unpaired", help="Figures of pairs leave out files that have no partner."
        ),
    ] = False,
    strict: Annotated[
        bool,
        typer.Option("--strict", help="Report nothing when a file cannot be measured."),
    ] = False,
    fail_under: Annotated[
        list[str],
        typer.Option(
            "--fail-under",
            metavar="METRIC=VALUE",
            help="Exit with 1 when a system's figure is less, or missing; may be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    fail_over: Annotated[
        list[str],
        typer.Option(
            "--fail-over",
            metavar="METRIC=VALUE",
            help="Exit with 1 when a system's figure is more, or missing; may be repeated.",
            show_default=False,
        ),
    ] = [],  # noqa: B006
    table: Annotated[
        str,
        typer.Option(
            "--table",
            metavar="NAME",
            help="Print a paper's table with its published rows: foleygan-ii, specvqgan-vas, ...",
            show_default=False,
        ),
    ] = "",
    per_class: Annotated[
        bool, typer.Option("--per-class", help="Print a table of each figure by class too.")
    ] = False,
    per_file: Annotated[
        Path | None,
        typer.Option(
            "--per-file",
            metavar="FILE",
            help="Write a row for each generated file: .jsonl or .csv.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print a line a figure.")] = False,
    as_markdown: Annotated[bool, typer.Option("--markdown", help="Print Markdown tables.")] = False,
    as_latex: Annotated[bool, typer.Option("--latex", help="Print LaTeX tables.")] = False,
    seed: options.Seed = 0,
    jobs: options.Jobs = 1,
    device: options.DeviceOption = options.Device.auto,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Compare generated sounds, or pictures, with real ones.

    Every figure stands beside what it is for the real set itself, with an interval. Files that
    cannot be read are named, left out and counted. Results do not depend on --jobs or on the order
    of files; the same files, options and version give the same report.
    """
    if context.invoked_subcommand:
        return
    with command("metrics", quiet=quiet, verbose=verbose) as console:
        asked_for = zip(_FORMS, (as_json, as_csv, as_markdown, as_latex), strict=True)
        forms = [form for form, on in asked_for if on]
        if len(forms) > 1:
            raise ValueError(f"--{forms[0]} and --{forms[1]}: choose one")
        if not real or not fake:
            raise ValueError("needs --real PATH and --fake PATH")
        if table and per_class:
            raise ValueError("--table has rows of its own: leave --per-class out")
        if ndb_k and ndb_bins and ndb_bins.exists():
            raise ValueError(f"{ndb_bins} holds bins, so that --ndb-k {ndb_k} cannot be heeded")
        if per_file and per_file.suffix not in (".jsonl", ".csv"):
            raise ValueError(f"--per-file {per_file}: the suffix must be .jsonl or .csv")
        compute_in_one_thread()  # before NumPy starts its threads
        from foleycli.evaluation.evaluate import Evaluation, evaluate
        from foleycli.evaluation.ndb_bins import load_bins, save_bins
        from foleycli.evaluation.pictures import InformativityJudge
        from foleycli.evaluation.published import published_table
        from foleycli.evaluation.set_figures import Options
        from foleycli.evaluation.sides import Network
        from foleycli.evaluation.thresholds import failed_thresholds, parse_threshold
        from foleycli.vision.clip_retrieval import ClipRanker

        limits = [[parse_threshold(words) for words in given] for given in (fail_under, fail_over)]
        if table:
            published_table(table)
        keys, named = metric_names(wanted)
        torch_device = options.torch_device(device)
        recorded = side_of(real, "real")
        asked = Evaluation(
            real=recorded,
            systems=systems_of(fake),
            options=Options(keys, level, replicates, seed, bins=ndb_k),
            network=Network(network, str(means_stds or ""), torch_device),
            baselines=baseline,
            videos=video_paths(video, recorded),
            allow_unpaired=allow_unpaired,
            strict=strict,
            bins=load_bins(ndb_bins) if ndb_bins and ndb_bins.exists() else {},
            required=named,
            clip=ClipRanker(clip, torch_device) if clip else None,
            informativity=InformativityJudge.from_folder(informativity) if informativity else None,
        )
        with processes(jobs) as each, console.stages() as progress:
            report = evaluate(asked, each, progress)
        form = forms[0] if forms else "text"
        typer.echo(rendered(report, form, table=table, per_class=per_class), nl=False)
        if ndb_bins and not ndb_bins.exists():
            save_bins(ndb_bins, asked.bins)
        if per_file:
            write_text(per_file, per_file_rows(report, per_file.suffix))
        if table or as_csv:  # which have no room for them
            for line in report.warnings:
                console.note(line)
        for path, reason in report.failures.items():
            console.error(f"{path}: {reason}")
        broken = failed_thresholds(report, *limits) + unmet(report, named)
        for line in broken:
            console.error(line)
        if broken or report.failures:
            raise typer.Exit(Exit.FAILED)
