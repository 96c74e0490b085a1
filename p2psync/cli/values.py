"""What people type and read: durations, moments, sizes, ids."""

from __future__ import annotations

import re
import shlex
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from p2psync.cli.exits import WRONG_USAGE, CommandFailed
from p2psync.i18n import _, ngettext

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([smhdw]?)")
CLOCK = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
DURATION_MAX_S = 10 * 366 * 86_400
DAY_S = 86_400


def parse_duration(text: str) -> float:
    """Seconds in "90", "90s", "30m", "24h", "7d" or "2w". Raises CommandFailed."""
    found = DURATION.fullmatch(text.strip().lower())
    seconds = float(found[1]) * SECONDS[found[2] or "s"] if found else -1.0
    if not 0 < seconds <= DURATION_MAX_S:
        sentence = _("{text!r} is no duration. Write 90s, 30m, 24h or 7d.")
        raise CommandFailed(sentence.format(text=text), WRONG_USAGE)
    return seconds


def parse_count(option: str, text: str, least: int, most: int) -> int:
    """A whole number in these bounds. Raises CommandFailed."""
    if not text.isascii() or not text.isdecimal() or len(text) > 9 or not least <= int(text) <= most:
        sentence = _("{option} takes a whole number from {least} to {most}, not {text!r}.")
        raise CommandFailed(sentence.format(option=option, least=least, most=most, text=text), WRONG_USAGE)
    return int(text)


def parse_moment(text: str) -> str:
    """RFC 3339 in UTC, from that or from "2025-06-30 14:00" by this PC's clock. Raises CommandFailed."""
    try:
        return f"{datetime.fromisoformat(text.strip()).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    except (ValueError, OverflowError, OSError):
        sentence = _("{text!r} is no time. Write 2025-06-30 or '2025-06-30 14:00'.")
        raise CommandFailed(sentence.format(text=text), WRONG_USAGE) from None


def parse_end(text: str, now: datetime) -> str:
    """RFC 3339 in UTC, from what `parse_moment` takes, from "23:45", the next time that it is, or from "2h".

    `now` is by this PC's clock. Raises CommandFailed.
    """
    found = CLOCK.fullmatch(text.strip())
    if found:
        end = now.replace(hour=int(found[1]), minute=int(found[2]), second=0, microsecond=0)
        later = end if end > now else end + timedelta(days=1)
        return f"{later.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    if DURATION.fullmatch(text.strip().lower()):
        return f"{(now + timedelta(seconds=parse_duration(text))).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"
    return parse_moment(text)


def absolute(path: Path) -> str:
    """As the daemon needs it: it works in another directory."""
    return str(Path.cwd() / path.expanduser())


def moment(text: str | None, now_s: float | None = None) -> str:
    """A moment of a JSON answer by this PC's clock: the hour today, else the day too; "-" for none."""
    if not text:
        return "-"
    try:
        when = datetime.fromisoformat(text).astimezone()
    except ValueError:
        return text
    today = datetime.fromtimestamp(time.time() if now_s is None else now_s).astimezone().date()
    return f"{when:%H:%M:%S}" if when.date() == today else f"{when:%Y-%m-%d %H:%M}"


def size(count: int | None) -> str:
    """Bytes for people, in powers of 1000 as file managers count."""
    if count is None:
        return "-"
    if count < 1000:
        return ngettext("{n} byte", "{n} bytes", count).format(n=count)
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.5 or unit == "TB":
            break
    return f"{value:.1f} {unit}" if value < 9.95 else f"{value:.0f} {unit}"


def files(count: int) -> str:
    """So many files."""
    return ngettext("{n} file", "{n} files", count).format(n=f"{count:,}".replace(",", "’"))


def quoted(word: str) -> str:
    """A name as one types it in a command: in quotes where a shell would take it apart."""
    plain = word and all(one.isalnum() or one in "-_.:/\\" for one in word)
    return word if plain else f'"{word}"' if not set(word) & set('"$`!\\') else shlex.quote(word)


def short(identifier: str | None) -> str:
    """The beginning of an id: enough to tell it from others, and commands take it."""
    return (identifier or "-")[:12]


def short_device(identifier: str | None) -> str:
    """The first group of a device id."""
    return (identifier or "-").split("-")[0] or "-"
