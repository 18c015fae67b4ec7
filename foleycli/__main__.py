"""``python -m foleycli``: the same as ``foley`` (and what torchrun starts)."""

from foleycli.cli.main import run

if __name__ == "__main__":
    run()
