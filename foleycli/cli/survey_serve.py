"""``foley survey-pack serve``: a pack on a web server that keeps the answers."""

from __future__ import annotations

import errno
import ipaddress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from foleycli.cli import options
from foleycli.cli.console import command
from foleycli.cli.termination import sigterm_interrupts

if TYPE_CHECKING:
    from foleycli.survey.answer_store import AnswerStore
    from foleycli.survey.server import Note, Server, Site

EPILOG = """\b
Examples:
  foley survey-pack serve study/
  foley survey-pack serve study/ --host 0.0.0.0 --port 8080 --db answers.sqlite
  foley survey-pack serve study/ --host ::1
  foley survey-pack serve study/ --allow-origin https://lab.example

\b
Answers:
  They go into an SQLite database, page by page as they are given, and what a browser
  was told is kept is on the disk. report reads the database, also while it is served.
  Each participant gets the plan that is used least; index.html?plan=3 asks for one.

\b
Safety:
  Nothing but the page and its media can be read. There is no password and no
  encryption: beyond this machine, put it behind a web server that has both. It listens
  to this machine only, unless --host says otherwise.
"""


def serve(
    pack: Annotated[
        Path, typer.Argument(metavar="PACK", help="Folder that build wrote.", show_default=False)
    ],
    database: Annotated[
        Path | None,
        typer.Option(
            "--db",
            metavar="FILE",
            help="Database of answers; made, or added to.",
            show_default="PACK.responses.sqlite",
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option("--host", metavar="NAME", help="Address to listen to; 0.0.0.0 or :: is all."),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        typer.Option("--port", min=0, max=65535, metavar="N", help="Port; 0 takes a free one."),
    ] = 8000,
    origin: Annotated[
        str,
        typer.Option(
            "--allow-origin",
            metavar="URL",
            help="Also take answers of a copy of the page there; * takes them from anywhere.",
            show_default=False,
        ),
    ] = "",
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
) -> None:
    """Serve a listening test and keep its answers; Ctrl-C ends it."""
    with command("survey-pack serve", quiet=quiet, verbose=verbose) as console:
        from foleycli.survey.answer_store import DATABASE_ENDING, AnswerStore
        from foleycli.survey.server import Site
        from foleycli.survey.study import beside

        site = Site.of(pack)
        kept = database or beside(pack, DATABASE_ENDING)
        if kept.resolve().is_relative_to(pack.resolve()):
            raise ValueError(f"--db {kept}: lies in the pack; keep answers outside")
        store = AnswerStore(kept, site.study, site.plans)
        try:
            with (
                sigterm_interrupts(),
                _bound((host, port), site, store, origin, console.error) as server,
            ):
                bound, at = map(str, server.server_address[:2])
                typer.echo(f"http://{f'[{bound}]' if ':' in bound else bound}:{at}/")
                console.note(f"answers go to {kept}; Ctrl-C ends it")
                if not ipaddress.ip_address(bound).is_loopback:
                    console.note("others can reach this: it has no password and no encryption")
                server.serve_forever()
        except KeyboardInterrupt:
            responses, begun, complete = store.counts()
            console.note(f"{responses} responses; {complete} of {begun} sessions are complete")
        finally:
            store.close()


def _bound(
    address: tuple[str, int], site: Site, store: AnswerStore, origin: str, note: Note
) -> Server:
    """Start to listen; what is in the way is said by the option that avoids it."""
    from foleycli.survey.server import Server

    host, port = address
    try:
        return Server(address, site, store, origin, note)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise ValueError(f"--port {port}: taken; give another one, or 0 for any") from None
        raise ValueError(f"--host {host} --port {port}: {error.strerror}") from None
