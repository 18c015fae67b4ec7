"""The ``foley`` command: one registration a command, ``--version`` and ``--config``."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Annotated, Any

import typer

from foleycli import __version__
from foleycli.cli import (
    checkpoint,
    console,
    extract,
    generate,
    invert,
    metrics,
    s2i,
    spectrogram,
    survey_pack,
    train,
    train_classifier,
    train_codebook,
    train_mel_classifier,
    train_s2i,
    train_sampler,
    train_sound2scene,
    train_vocoder,
)

EPILOG = """\b
Examples:
  foley generate clip.mp4 -o clip.wav
  foley generate clips/ -o dubbed/ --format mp4 --class footstep
  foley spectrogram clip.mp4 -o clip.spec.npz --png clip.png
  foley invert clip.spec.npz -o clip.wav
  foley spectrogram clips/ -o spectrograms/ | foley invert - -o sounds/
  foley metrics --real recordings/ --fake sounds/
  foley s2i bark.wav -o dog.png
  foley --config foley.toml invert clip.spec.npz -o clip.wav

\b
Names:
  A clip is called after its place in the input it was found in: DIR/rain/a.mp4,
  found in DIR, is rain/a, and with -o OUT/ becomes OUT/rain/a.wav. Its seed
  derives from --seed and that name. Two clips of one name are an error.

\b
Files:
  *.npz            arrays; numpy.load reads them. They hold no pickles, and how
                   they were made is in __foley__, as JSON.
  *.jsonl, *.csv   manifests: path, and if wanted id, class, split.
  *.txt            one path a line.
  OUT/run.json     how everything in OUT was made: command line, versions, options,
                   seed, device, SHA-256 of inputs. A shard writes
                   OUT/run-I-of-N.json; a single FILE that is not .npz has
                   FILE.run.json.
"""

app = typer.Typer(
    name="foley",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: half the start-up, and it can be piped
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog=EPILOG,
)
app.command("extract", epilog=extract.EPILOG)(extract.extract)
app.command("spectrogram", epilog=spectrogram.EPILOG)(spectrogram.spectrogram)
app.command("generate", epilog=generate.EPILOG)(generate.generate)
app.command("invert", epilog=invert.EPILOG)(invert.invert)
app.command("s2i", epilog=s2i.EPILOG)(s2i.s2i)
train.app.command("classifier", epilog=train_classifier.EPILOG)(train_classifier.classifier)
train.app.command("sound2scene", epilog=train_sound2scene.EPILOG)(train_sound2scene.sound2scene)
train.app.command("s2i", epilog=train_s2i.EPILOG)(train_s2i.s2i)
train.app.command("codebook", epilog=train_codebook.EPILOG)(train_codebook.codebook)
train.app.command("sampler", epilog=train_sampler.EPILOG)(train_sampler.sampler)
train.app.command("vocoder", epilog=train_vocoder.EPILOG)(train_vocoder.vocoder)
train.app.command("melception", epilog=train_mel_classifier.MELCEPTION)(
    train_mel_classifier.melception
)
train.app.command("vggishish", epilog=train_mel_classifier.VGGISHISH)(
    train_mel_classifier.vggishish
)
app.add_typer(train.app, name="train")
app.add_typer(metrics.app, name="metrics")
app.add_typer(survey_pack.app, name="survey-pack")
app.add_typer(checkpoint.app, name="checkpoint")


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"foley {__version__} (Python {platform.python_version()})")
        raise typer.Exit


@app.callback()
def foley(
    context: typer.Context,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config",
            metavar="FILE",
            help="TOML file of defaults, one table a command: [generate] then seed = 7. "
            "Options given on the command line win.",
            show_default=False,
        ),
    ] = None,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            help="Print the version and exit.",
            callback=_print_version,
            is_eager=True,
        ),
    ] = False,
) -> None:
    """Turn silent video into sound and sound into pictures, and referee the results.

    Every command reads files and writes files; what it wrote is listed on standard output, and all
    other talk goes to standard error.
    """
    if config is not None:
        with console.command("--config"):
            context.default_map = _read_config(config, context.command)


def _read_config(path: Path, group: Any) -> dict[str, Any]:
    """Read defaults for Click's ``default_map``; a misspelt name is an error, not a silence."""
    import tomllib

    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: not TOML ({error})") from None
    return _defaults(path, tables, group)


def _defaults(path: Path, table: dict[str, Any], command: Any) -> dict[str, Any]:
    known: dict[str, str] = {}
    for parameter in command.params:
        known |= {opt[2:]: parameter.name for opt in parameter.opts if opt.startswith("--")}
    commands = getattr(command, "commands", {})
    takes_options = not commands or command.invoke_without_command
    defaults = {}
    for name, value in table.items():
        if name in commands and isinstance(value, dict):
            defaults[name] = _defaults(path, value, commands[name])
        elif name.replace("_", "-") in known and takes_options:
            defaults[known[name.replace("_", "-")]] = value
        else:
            expected = ", ".join(sorted({*commands, *(known if takes_options else ())}))
            raise ValueError(f"{path}: {name!r} under [{command.name}] is none of: {expected}")
    return defaults


def run() -> None:
    """Entry point of ``foley`` and ``python -m foleycli``."""
    console.guarded(app)
