"""``foley checkpoint``: published weights fetched, looked into, and brought into our layout."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from foleycli.cli import options
from foleycli.cli.console import Console, Exit, command, explain, print_json

if TYPE_CHECKING:
    from foleycli.published.sources import Source

IMPORT_EPILOG = """\b
Examples:
  foley checkpoint import G_ema_best0.pth -o generator.safetensors
  foley checkpoint import swav_800ep_pretrain.pth.tar --as swav-resnet50 -o swav.safetensors
  foley checkpoint import 2021-06-03T09-34-10_vggsound_transformer.tar.gz -o sampler.safetensors

\b
Kinds:
  s2i-autoencoder, s2i-generator, s2i-discriminator, s2i-informativity
                        Sound-to-Imagination; embeddings of 128 to 2048 numbers
  sound2scene-audio     Sound2Scene's sound2scene.pth
  icgan-generator, icgan-discriminator
                        IC-GAN at 128 pixels: G_ema_best0.pth, D_best0.pth
  swav-resnet50         SwAV's ResNet-50, without its heads
  resnet50              torchvision's
  melception, vggishish SpecVQGAN's classifiers of sounds
  specvqgan-codebook    its codebook, without what only training needs
  specvqgan-sampler     its sampler, together with the codebook in the same file
  melgan-generator, melgan-discriminator
                        its vocoder: best_netG.pt or netG.pt, netD.pt
  bn-inception          of its features: of frames, or of optical flow

\b
Files:
  FILE may be what torch.save wrote, in either of its forms, .safetensors, or the
  .tar.gz of a SpecVQGAN run: of its checkpoints last.ckpt is taken, or else the last
  by name, and unpacked into TMPDIR meanwhile. Only tensors are read, and nothing in
  the file is run: of the classes that Lightning names in a checkpoint none is needed.
  What a sampler was trained on is read from configs/*-project.yaml in the .tar.gz, or
  beside the folder that a .ckpt lies in.
  OUT.safetensors holds float32 tensors, and under foley in its metadata the kind, the
  network's configuration, the source's name and SHA-256, and the licence.
"""

SHOW_EPILOG = """\b
Examples:
  foley checkpoint show generator.safetensors
  foley checkpoint show sound2scene.pth
  foley checkpoint show foleygan --json
"""

PULL_EPILOG = """\b
Examples:
  foley checkpoint pull --list
  foley checkpoint pull s2i-generator -o weights/
  foley checkpoint pull swav-resnet50 icgan-generator -o weights/ --yes
  foley checkpoint pull specvqgan-sampler-a-5-rn melgan-generator -o weights/
  foley checkpoint pull resnet50 --url https://mirror.example/resnet50-0676ba61.pth

\b
Files:
  DIR/FILE.part    what has come of a file that is not whole; the same command goes on.
  DIR/NAME.tar.gz  an archive is kept, since other names may lie in it.

\b
Names of specvqgan-sampler-SETTING-CONDITION:
  a, b, c          trained on VGGSound; on VAS with VGGSound's codebook; on VAS
  none, class, N-bn, N-rn
                   condition: nothing, a class, N features of BN-Inception's or ResNet-50
"""

app = typer.Typer(rich_markup_mode=None, no_args_is_help=True)


@app.callback()
def checkpoint() -> None:
    """Fetch published weights, look into them, and bring them into foley's layout."""


@app.command("import", epilog=IMPORT_EPILOG)
def import_(
    source: Annotated[
        Path, typer.Argument(metavar="FILE", help="Weights as published.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Checkpoint to write, .safetensors.",
            show_default=False,
        ),
    ],
    kind: Annotated[
        str,
        typer.Option("--as", metavar="KIND", help="What it is; auto tells by names and shapes."),
    ] = "auto",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Turn a published checkpoint into one of foley's.

    Every tensor must be where the network has it, in its shape. What does not fit is listed, and
    nothing is written then.
    """
    with command("checkpoint import", quiet=quiet, verbose=verbose) as console:
        if output.suffix != ".safetensors":
            raise ValueError(f"-o {output}: the suffix must be .safetensors")
        from dataclasses import asdict

        from foleycli.published.importing import import_checkpoint

        found = import_checkpoint(source, output, kind)
        row = found.kind
        console.note(f"{source}: {row.name} ({row.purpose}); licence: {row.licence}")
        if found.dropped:
            console.note(f"{source}: left out {len(found.dropped)} tensors that it does not need")
        if as_json:
            report: dict[str, Any] = {"output": str(output), "kind": row.name}
            report["config"] = asdict(found.config) if found.config is not None else {}
            print_json({**report, "licence": row.licence, "dropped": list(found.dropped)})
        else:
            typer.echo(output)


@app.command("show", epilog=SHOW_EPILOG)
def show(
    source: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            help="A checkpoint, published weights, or the name of a shipped model.",
            show_default=False,
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of a table.")
    ] = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Tell what a checkpoint holds, without running anything in it.

    Parameters are counted with running means and the like.
    """
    with command("checkpoint show", quiet=quiet, verbose=verbose):
        import json

        from foleycli.published.summary import summarise

        found = summarise(source)
        if as_json:
            print_json(found)
            return
        kind = found["kind"] or "not one that is known"
        rows = {
            "file": found["file"],
            "bytes": f"{found['bytes']:,}",
            "sha256": found["sha256"],
            "kind": f"{kind} (by names and shapes)" if found["guessed"] else kind,
            "config": json.dumps(found["config"]),
            "provenance": json.dumps(found["provenance"]),
            "tensors": f"{len(found['tensors']):,}",
            "parameters": f"{found['parameters']:,}",
        }
        for name, value in rows.items():
            typer.echo(f"{name:<12}{value}")
        for tensor in found["tensors"]:
            shape = "x".join(map(str, tensor["shape"])) or "scalar"
            typer.echo(f"  {tensor['name']}  {shape}  {tensor['dtype']}")


@app.command("pull", epilog=PULL_EPILOG)
def pull(
    names: Annotated[
        list[str],
        typer.Argument(metavar="NAME", help="Names from --list.", show_default=False),
    ] = [],  # noqa: B006 (Typer reads the default, nobody writes it)
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder to put the files in.")
    ] = Path(),
    listing: Annotated[
        bool, typer.Option("--list", help="Print what can be fetched, and fetch nothing.")
    ] = False,
    yes: Annotated[
        bool,
        typer.Option("--yes", help="Agree to licences that forbid some uses, or are not stated."),
    ] = False,
    url: Annotated[
        str,
        typer.Option(
            "--url",
            metavar="URL",
            help="Fetch the one NAME from a mirror; size and hash are still checked.",
            show_default=False,
        ),
    ] = "",
    as_json: options.Json = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Download published weights, from where their authors put them.

    No other command downloads anything. A download that stopped goes on where it was; size and hash
    are checked where they are published; a file that is there already is left alone.
    """
    with command("checkpoint pull", quiet=quiet, verbose=verbose) as console:
        from foleycli.published.sources import published_source

        if listing:
            _print_sources(as_json)
            return
        if not names:
            raise ValueError("give a NAME; foley checkpoint pull --list prints them")
        if url and len(names) > 1:
            raise ValueError("--url belongs to one NAME; fetch the others by themselves")
        chosen = [published_source(name) for name in dict.fromkeys(names)]
        _agree(chosen, yes)
        done: dict[str, str] = {}
        failures: dict[str, str] = {}
        for source in chosen:
            try:
                done[source.name] = str(_pull(console, source, output, url or source.url))
            except ValueError as error:
                if len(chosen) == 1:
                    raise
                console.error(explain(error))
                failures[source.name] = explain(error)
            else:
                if not as_json:
                    typer.echo(done[source.name])
        if as_json:
            print_json({"files": done, "failures": failures})
        if failures:
            console.error(f"{len(failures)} of {len(chosen)} failed")
            raise typer.Exit(Exit.FAILED)


def _pull(console: Console, source: Source, folder: Path, url: str) -> Path:
    from foleycli.downloads import Expected, download, extract_member
    from foleycli.files.provenance import file_sha256

    target = folder / source.file
    archive = folder / source.url.rpartition("/")[2] if source.member else target
    if source.member and target.exists():
        console.note(f"{target}: is there already")
        return target
    console.detail(f"{source.name}: from {url}")
    expected = Expected(source.size, source.digest, source.by_hand)
    with console.progress(source.file, unit="B") as progress:
        came = download(url, archive, expected, progress=progress)
    if source.member:
        extract_member(archive, source.member, target)
    verified = "verified" if source.digest else "no hash is published to verify it by"
    console.note(
        f"{target}: {'fetched' if came else 'is there already'}, {verified}; "
        f"SHA-256 {file_sha256(target)}; licence: {source.licence}; "
        f"next: foley checkpoint import '{target}' --as {source.kind} -o OUT.safetensors"
    )
    return target


def _agree(sources: list[Source], yes: bool) -> None:
    limited = [source for source in sources if not source.free]
    if not limited or yes:
        return
    told = ", ".join(f"{source.name} (licence: {source.licence})" for source in limited)
    if not _somebody_is_there():
        raise ValueError(f"not free for every use: {told}; agree by --yes")
    if not typer.confirm(f"Not free for every use: {told}. Fetch?", err=True):
        raise typer.Exit(Exit.FAILED)


def _somebody_is_there() -> bool:
    return sys.stdin.isatty() and sys.stderr.isatty()


def _print_sources(as_json: bool) -> None:
    from dataclasses import asdict

    from foleycli.published.sources import SOURCES

    if as_json:
        print_json({source.name: asdict(source) for source in SOURCES})
        return
    rows = [("NAME", "KIND", "LICENCE", "MB", "HASH", "URL")]
    for source in SOURCES:
        size = f"{source.size / 1e6:.1f}" if source.size else "-"
        digest = source.digest[: len("sha256:") + 8] or "-"
        rows.append((source.name, source.kind, source.licence, size, digest, source.url))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        typer.echo("  ".join(cells).rstrip())
