"""What typer says by itself, in our words and the user's language: the pages of help, and what is typed wrong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from p2psync.cli.ending import fail
from p2psync.cli.exits import DONE, WRONG_USAGE, CommandFailed
from p2psync.i18n import _


class Command(TyperCommand):
    """A command whose help is wholly in the user's language."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        ctx.allow_extra_args = True
        with _of_command(ctx):
            left = super().parse_args(ctx, args)
        if ctx.args:
            raise wrong(ctx.command_path, _("{words} is too much here.").format(words=" ".join(map(repr, ctx.args))))
        return left

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        pieces = [_("[OPTIONS]"), *(_usage(one) for one in self.get_params(ctx) if _is_argument(one))]
        formatter.write_usage(ctx.command_path, " ".join(pieces), prefix=_("Usage: "))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self.get_params(ctx), formatter)

    def get_help_option(self, ctx: Any) -> Any:
        return _explained_help(super().get_help_option(ctx))


class Group(TyperGroup):
    """Commands under one name; the same of it."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        with _of_command(ctx):
            return super().parse_args(ctx, args)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if self.get_command(ctx, args[0]) is None:
            raise wrong(ctx.command_path, _("There is no command {name}.").format(name=repr(args[0])), self._like(args))
        return super().resolve_command(ctx, args)

    def _like(self, args: Sequence[str]) -> list[str]:
        return get_close_matches(args[0], self.commands)

    def format_usage(self, ctx: Any, formatter: Any) -> None:
        formatter.write_usage(ctx.command_path, _("[OPTIONS] COMMAND ..."), prefix=_("Usage: "))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        _write_parameters(self.get_params(ctx), formatter)
        with formatter.section(_("Commands")):
            formatter.write_dl([(name, _first_sentence(one)) for name, one in self.commands.items()])

    def get_help_option(self, ctx: Any) -> Any:
        return _explained_help(super().get_help_option(ctx))


@contextmanager
def _of_command(ctx: Any) -> Iterator[None]:
    """Some mistakes do not know in which command they were made."""
    try:
        yield
    except Exception as error:
        if getattr(error, "ctx", ctx) is None:
            error.ctx = ctx  # type: ignore[attr-defined]
        raise


def run(app: typer.Typer, words: Sequence[str]) -> int:
    """Run the command that was typed, and return its exit code."""
    try:
        code = app(list(words), prog_name="p2psync", standalone_mode=False)
    except CommandFailed as failure:
        return fail(str(failure), failure.exit_code, "--json" in words)
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        return _complain(error, "--json" in words)
    return code if isinstance(code, int) else DONE


def wrong(command: str, sentence: str, like: Sequence[str] = ()) -> CommandFailed:
    """What was typed wrong, with what was meant perhaps, and where help is."""
    meant = _("Did you mean {names}?").format(names=", ".join(like)) if like else ""
    help_text = _("See: {command} --help").format(command=command)
    return CommandFailed(" ".join(filter(None, [sentence, meant, help_text])), WRONG_USAGE)


def _complain(error: Any, as_json: bool) -> int:
    if type(error).__name__ == "NoArgsIsHelpError":
        error.show()
        return WRONG_USAGE
    failure = wrong(error.ctx.command_path if error.ctx else "p2psync", _sentence(error))
    return fail(str(failure), WRONG_USAGE, as_json)


def _sentence(error: Any) -> str:
    """Found by the names of typer's errors: where their classes lie differs from one version of it to the next."""
    parameter = getattr(error, "param", None)
    match type(error).__name__:
        case "MissingParameter":
            return _("{name} is missing.").format(name=_typed(parameter))
        case "NoSuchOption":
            like = ", ".join(error.possibilities or ())
            text = _("There is no option {name}. Did you mean {names}?") if like else _("There is no option {name}.")
            return text.format(name=error.option_name, names=like)
        case "BadOptionUsage":
            option = next((one for one in error.ctx.command.params if error.option_name in one.opts), None)
            text = _("{name} takes no value.") if option is None or option.is_flag else _("{name} needs a value.")
            return text.format(name=error.option_name if option is None else _typed(option))
        case "UsageError" if isinstance(error.ctx and error.ctx.command, Group):
            return _("The command is missing.")
        case _:
            return str(error.format_message())


# -- help ----------------------------------------------------------------------------------------------


def _write_parameters(parameters: Sequence[Any], formatter: Any) -> None:
    arguments = [(_typed(one), _help(one)) for one in parameters if _is_argument(one)]
    options = [(_typed(one), _help(one)) for one in parameters if not _is_argument(one)]
    for title, rows in ((_("Arguments"), arguments), (_("Options"), options)):
        if rows:
            with formatter.section(title):
                formatter.write_dl(rows)


def _is_argument(parameter: Any) -> bool:
    return bool(parameter.param_type_name == "argument")


def _usage(argument: Any) -> str:
    return str(argument.metavar if argument.required else f"[{argument.metavar}]")


def _typed(parameter: Any) -> str:
    """As one types it."""
    value = str(parameter.metavar or parameter.name.upper())
    if _is_argument(parameter):
        return value
    names = ", ".join(sorted(parameter.opts, key=len))
    return names if parameter.is_flag else f"{names} {value}"


def _help(parameter: Any) -> str:
    notes = []
    if getattr(parameter, "show_default", False) and isinstance(parameter.default, str):
        notes.append(_("default: {value}").format(value=parameter.default))
    if parameter.required and not _is_argument(parameter):
        notes.append(_("required"))
    return f"{parameter.help} [{'; '.join(notes)}]" if notes else str(parameter.help)


def _first_sentence(command: Any) -> str:
    return str(command.help or "").split("\n\n")[0]


def _explained_help(option: Any) -> Any:
    if option is not None:
        option.help = _("Show this page and end.")
    return option
