"""What a function gets as a command, and how what it raises comes out."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path
from typing import Annotated

import pytest
import typer

from p2psync.cli.client import Reply
from p2psync.cli.command import AS_JSON, HOME, LANG, Session, command, say, tell
from p2psync.cli.exits import CommandFailed
from p2psync.errors import TicketUsed, UsageError


def act(session: Session, word: str, count: Annotated[int, typer.Option("--count", help="How often.")] = 1) -> int:
    match word:
        case "usage":
            raise UsageError("there is no such thing")
        case "used":
            raise TicketUsed("This ticket has been used.")
        case "waits":
            raise CommandFailed("It waits.", 5)
        case "bug":
            raise KeyError("a bug")
        case "stop":
            raise KeyboardInterrupt
    tell(f"home {session.home}")
    return session.show(
        Reply({"word": word, "count": count}, 3 if word == "partly" else 0), lambda data: data["word"] * count
    )


def root(ctx: typer.Context, home: HOME = None, as_json: AS_JSON = False, lang: LANG = None) -> None:
    ctx.obj = {"home": home, "as_json": as_json}


def run(*words: str) -> tuple[int, str, str]:
    app = typer.Typer(rich_markup_mode=None, pretty_exceptions_enable=False)
    app.callback()(root)
    command(app, "act", help="Act. And more.", example="p2psync act a\np2psync act b")(act)
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        app(list(words), prog_name="p2psync")
    assert isinstance(ended.value.code, int)
    return ended.value.code, out.getvalue(), err.getvalue()


def test_text_or_json(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert run("--home", home, "act", "ab", "--count", "2") == (0, "abab\n", f"home {home}\n")
    code, out, _ = run("--home", home, "act", "ü", "--json")
    assert (code, out) == (0, '{\n  "word": "ü",\n  "count": 1\n}\n')
    assert run("--home", home, "act", "partly")[0] == 3


def test_what_a_terminal_obeys_is_not_printed(tmp_path: Path) -> None:
    home = str(tmp_path)
    assert run("--home", home, "act", "a\x1b[2J\nb")[1] == "a\ufffd[2J b\n"
    assert run("--home", home, "act", "\x9b", "--json")[1] == '{\n  "word": "\\u009b",\n  "count": 1\n}\n'


@pytest.mark.parametrize(
    ("word", "code", "sentence"),
    [
        ("usage", 2, "there is no such thing"),
        ("used", 1, "This ticket has been used."),
        ("waits", 5, "It waits."),
        ("stop", 1, "Stopped by you."),
    ],
)
def test_errors_are_sentences_with_their_code(tmp_path: Path, word: str, code: int, sentence: str) -> None:
    assert run("--home", str(tmp_path), "act", word) == (code, "", f"{sentence}\n")
    assert run("--home", str(tmp_path), "act", word, "--json")[1] == f'{{"error": "{sentence}", "exit": {code}}}\n'


def test_an_unforeseen_error_is_one_sentence_and_a_file(tmp_path: Path) -> None:
    code, out, err = run("--home", str(tmp_path), "act", "bug")
    assert (code, out, err.count("\n")) == (1, "", 1)
    log = tmp_path / "command-line.log"
    assert str(log) in err
    assert "Traceback" in log.read_text()
    assert "Traceback" not in err


def test_help_has_the_example_and_the_common_options() -> None:
    code, out, _ = run("act", "--help")
    assert code == 0
    assert out.index("Example") < out.index("p2psync act a") < out.index("p2psync act b")
    assert all(option in out for option in ("--home", "--json", "--lang", "--count"))


def test_nothing_to_say_prints_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    say("")
    assert capsys.readouterr().out == ""
