"""How a function becomes a command: the options that all have, help with an example, and errors as sentences.

A command is a function whose first parameter is a `Session`. What it raises becomes a sentence on stderr and an exit
code; no traceback reaches a user.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from p2psync.cli.client import CALL_TIMEOUT_S, Client, Reply
from p2psync.cli.ending import guarded
from p2psync.cli.home import home_path
from p2psync.cli.plain import json_text, sentence_shown, shown
from p2psync.cli.wording import Command
from p2psync.core.value import value
from p2psync.i18n import LANGUAGES, _

Act = Callable[..., int | None]
"""A command: returns its exit code, None for 0."""

LANG_HELP = _("Speak English, French, German or Italian, whatever the system is set to.")


@value
class Session:
    """One run of a command."""

    home: Path
    as_json: bool

    @property
    def client(self) -> Client:
        return Client(self.home)

    def call(self, operation: str, within_s: float = CALL_TIMEOUT_S, /, **arguments: Any) -> Reply:
        """Have the daemon perform an operation; arguments that are None are left out. Raises CommandFailed."""
        return self.client.call(operation, arguments, within_s)

    def show(self, reply: Reply, render: Callable[[Any], str]) -> int:
        """Print an answer, as JSON or for people, and return its exit code."""
        self.show_data(reply.data, render)
        return reply.exit

    def show_data(self, data: Any, render: Callable[[Any], str]) -> None:
        """Print data as one JSON document, or what `render` makes of it."""
        say(json_text(data, 2) if self.as_json else render(shown(data)))


HOME = Annotated[
    Path | None,
    typer.Option(
        "--home",
        metavar="DIR",
        help=_("Where this device keeps its identity, settings and database. Also: P2PSYNC_HOME."),
        show_default=False,
    ),
]
AS_JSON = Annotated[bool, typer.Option("--json", help=_("Print one JSON document instead of text."))]
LANG = Annotated[str | None, typer.Option("--lang", metavar="|".join(LANGUAGES), help=LANG_HELP, show_default=False)]
COMMON = {"home": (HOME, None), "as_json": (AS_JSON, False), "lang": (LANG, None)}


def command(app: typer.Typer, name: str, *, help: str, example: str) -> Callable[[Act], Act]:
    """Make a function the command `name`. `help` begins with one sentence; `example` is a line as one types it."""

    def register(act: Act) -> Act:
        epilog = _("Example:") + "".join(f"\n\n\b\n  {line}" for line in example.splitlines())
        app.command(name, cls=Command, help=help, epilog=epilog)(_with_session(act))
        return act

    return register


def say(text: str) -> None:
    """Print what was asked for."""
    if text:
        typer.echo(sentence_shown(text))


def tell(text: str) -> None:
    """Print what is not the answer itself: on stderr."""
    typer.echo(sentence_shown(text), err=True)


def _with_session(act: Act) -> Callable[..., None]:
    @wraps(act)
    def run(ctx: typer.Context, home: Path | None, as_json: bool, lang: str | None, **arguments: Any) -> None:
        outer = ctx.find_root().obj
        before = outer if isinstance(outer, dict) else {}
        session = Session(home_path(home or before.get("home")), as_json or bool(before.get("as_json")))
        raise typer.Exit(guarded(partial(act, session, **arguments), session.home, session.as_json))

    hints = get_type_hints(act, include_extras=True)
    own = list(inspect.signature(act).parameters.values())[1:]
    parameters = [inspect.Parameter("ctx", inspect.Parameter.KEYWORD_ONLY, annotation=typer.Context)]
    parameters += [
        p.replace(kind=inspect.Parameter.KEYWORD_ONLY, annotation=hints[p.name], default=p.default) for p in own
    ]
    parameters += [
        inspect.Parameter(n, inspect.Parameter.KEYWORD_ONLY, annotation=a, default=d) for n, (a, d) in COMMON.items()
    ]
    del run.__wrapped__
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in parameters}
    return run
