"""Files: sync, wait, conflicts, versions, and the record of what happened."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from p2psync.cli import progress, reports, verifying
from p2psync.cli.command import Session, command, tell
from p2psync.cli.commands.mandates import MANDATE, OPTIONAL_MANDATE
from p2psync.cli.exits import FAILED, WRONG_USAGE, CommandFailed
from p2psync.cli.values import absolute, parse_duration, parse_end, parse_moment
from p2psync.i18n import _

ANSWER_S = 15.0
"""How much longer than its own timeout a call that waits may take."""
NO_END_S = 30 * 86_400.0
LOG_TIMEOUT_S = 600.0
"""For calls that read the whole log."""
TIMEOUT = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="TIME",
        help=_("Give up after that long: 90s, 10m. Without it: when all is done."),
        show_default=False,
    ),
]
PATH = Annotated[str, typer.Argument(metavar="PATH", help=_("The file, as it is called inside the mandate's folder."))]


def add_to(app: typer.Typer) -> None:
    """Make these commands part of the app."""
    _add_runs(app)
    _add_schedule(app)
    _add_versions(app)
    _add_log(app)


def _add_runs(app: typer.Typer) -> None:
    command(
        app,
        "sync",
        help=_(
            "Exchange everything now, and wait until it has arrived.\n\nFiles are exchanged all the time without it; "
            "this is for being sure: it looks through the folder, exchanges with every device in reach, and ends when "
            "each of them has confirmed. Exit code 3: some files could not be placed; 5: nobody is in reach."
        ),
        example="p2psync sync Cargo\np2psync sync Cargo --timeout 2m && echo 'all there'",
    )(sync)
    command(
        app,
        "wait",
        help=_(
            "Wait until all is in sync.\n\nThat is: this device and every connected one have the same files. Exit "
            "codes as of sync."
        ),
        example="p2psync wait Cargo --timeout 60s",
    )(wait)
    command(
        app,
        "conflicts",
        help=_(
            "List conflicts, or decide one.\n\nA conflict arises when a file was changed on two PCs before either "
            "had the other's change. Nothing is lost: the mandate's rules say which version stands in the folder "
            "(for .crp that of accounting), and the others are kept. Without PATH the open conflicts are listed, the "
            "same on all PCs. With PATH and --keep the version that you choose stands on all PCs, and the conflict "
            "is closed everywhere; choose the one that stands already if it is right."
        ),
        example='p2psync conflicts Cargo\np2psync conflicts Cargo "Cargo 2025.crp" --keep mine',
    )(conflicts)
    command(
        app,
        "seen",
        help=_(
            "Confirm that you have seen what happened.\n\nSome lines of status tell of something that is over, and "
            "stay until a person has seen them: a change that this PC may not make and that was undone, a file of "
            "yours that was set aside. This command takes them away, on this PC alone. It deletes nothing: what was "
            "undone or set aside stays among the versions of its file, see p2psync versions."
        ),
        example="p2psync seen Cargo",
    )(seen)
    command(
        app,
        "history",
        help=_("Show past runs, and what each moved."),
        example="p2psync history Cargo\np2psync history --run 12",
    )(history)


def _add_schedule(app: typer.Typer) -> None:
    command(
        app,
        "schedule",
        help=_(
            "Show or change when p2psync works by itself.\n\nA plan is 02:00 for every night, mon,thu 02:00, "
            "monthly 15 03:00, monthly 03:00 for a day of the mandate's own, or off. On the day of a full run, which "
            "reads every file again, there is no other. What was missed while this PC was off is made up for. --active "
            "06:00-22:00 are hours of activity: outside of them nothing is exchanged, placed or delivered. These hold "
            "for all mandates.\n\n--interval 15m is of MANDATE, or of each that there is: what is saved is exchanged "
            "at the beginning of each interval, counted from midnight, and not on each change; p2psync sync does it "
            "at once, and so does another PC of the mandate whose turn it is."
        ),
        example="p2psync schedule\np2psync schedule --incremental 23:30 --full 'monthly 15 03:00'\n"
        "p2psync schedule --active 06:00-22:00\np2psync schedule Cargo --interval 15m",
    )(schedule)
    command(
        app,
        "pause",
        help=_(
            "Let mandates rest, as for a backup.\n\nNothing is exchanged, placed or delivered until --until, or until "
            "p2psync resume; what you save meanwhile goes to the others then. Without MANDATE: all of them."
        ),
        example="p2psync pause --until 23:45\np2psync pause Cargo --until 2h",
    )(pause)
    command(
        app,
        "resume",
        help=_("Go on after a pause."),
        example="p2psync resume Cargo",
    )(resume)
    command(
        app,
        "limit",
        help=_(
            "Show or limit what p2psync takes of line and processor.\n\nA RATE is in bytes per "
            "second, like 500K or 2M (1M is 1000K), at least 50K, or off. It holds for this PC, for all mandates and "
            "all devices together, where the other device is outside of this PC's own network, over a tunnel to "
            "another office too; within the network there is no limit. Small files go before big ones. What the "
            "devices say to each other counts too, but never waits. With --cpu the reading of whole folders and of "
            "big files, as by a full run or verify, takes that share of one processor at most, and longer; small "
            "files that you save are read at once all the same. A limit stays after a restart. Without options: what "
            "is set."
        ),
        example="p2psync limit --up 500K --down 2M\np2psync limit --up off\np2psync limit --cpu 25%\np2psync limit",
    )(limit)


def _add_versions(app: typer.Typer) -> None:
    command(
        app,
        "versions",
        help=_(
            "List the kept versions of a file.\n\nBefore a file is replaced or deleted, what it held is kept, and so "
            "is what lost a conflict. The list tells when each version was kept, whose it is and why it was kept, "
            "and its id, by which restore brings it back. For a deleted file, give the name that it had."
        ),
        example='p2psync versions Cargo "Cargo 2025.crp"',
    )(versions)
    command(
        app,
        "restore",
        help=_(
            "Bring an earlier version of a file back.\n\nThe file in the folder then holds that version, on all PCs; "
            "what it held until now is kept as a version too. With --to FILE the folder stays as it is, and the "
            "version is written into another file, to look at first. Without --version or --at it is the newest "
            "version that differs from what the file holds now. A file that was deleted comes back in the same way."
        ),
        example='p2psync restore Cargo "Cargo 2025.crp" --at "2025-06-30 14:00"\n'
        'p2psync restore Cargo "Cargo 2025.crp" --version 4f1d2c9a11bc --to /tmp/old.crp',
    )(restore)


def _add_log(app: typer.Typer) -> None:
    command(
        app,
        "log",
        help=_(
            "Show who changed what, and when.\n\nEvery device signs what it says. --verify checks the chain and every "
            "signature and names the first bad entry; --export writes everything for an archive, a line each."
        ),
        example="p2psync log Cargo\np2psync log Cargo --verify\np2psync log Cargo --export cargo-log.jsonl",
    )(log)
    command(
        app,
        "verify",
        help=_(
            "Check that every byte is as it was saved.\n\nReads all files of the folder "
            "and all kept versions again, compares them with the signed log, and asks the connected devices whether "
            "they hold the same. --repair brings the right bytes of a file that a disk damaged back, from a kept "
            "version or another device. --last tells what was found the last time, and when. Exit code 1: something is "
            "damaged; 3: a device has not the same; 5: no other device is connected."
        ),
        example="p2psync verify Cargo\np2psync verify Cargo --repair\np2psync verify Cargo --last",
    )(verify)


# -- runs ----------------------------------------------------------------------------------------------


def sync(
    session: Session,
    mandate: OPTIONAL_MANDATE = None,
    only: Annotated[
        str | None,
        typer.Option(
            "--only",
            metavar="master|entries",
            help=_("Wait for master data (.crp) or entries (.ecf, .ecs) only."),
            show_default=False,
        ),
    ] = None,
    full: Annotated[
        bool,
        typer.Option(
            "--full", help=_("Read every file again; needed only after a restored backup, or in doubt about a disk.")
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help=_("Only tell what would be exchanged."))] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help=_("End the run that is under way."))] = False,
    timeout: TIMEOUT = None,
) -> int:
    if cancel:
        return session.show(session.call("sync.cancel", mandate=mandate), reports.cancelled)
    if only not in (None, "master", "entries"):
        raise CommandFailed(_("--only takes master or entries, not {text!r}.").format(text=only), WRONG_USAGE)
    timeout_s = parse_duration(timeout) if timeout else None
    if full and not (dry_run or session.as_json):
        tell(reports.announced(session.call("sync", mandate=mandate, full=True, dry_run=True).data))
    with progress.shown(session.client, mandate, _("Syncing"), not session.as_json):
        ran = session.call(
            "sync",
            (timeout_s or NO_END_S) + ANSWER_S,
            **{"mandate": mandate, "only": only, "full": full, "dry_run": dry_run, "timeout_s": timeout_s},
        )
    return session.show(ran, reports.planned if dry_run else reports.run)


def schedule(
    session: Session,
    mandate: OPTIONAL_MANDATE = None,
    incremental: Annotated[
        str | None, typer.Option("--incremental", metavar="PLAN", help=_("The runs that look for changes."))
    ] = None,
    full: Annotated[
        str | None, typer.Option("--full", metavar="PLAN", help=_("The runs that read every file again."))
    ] = None,
    active: Annotated[
        str | None,
        typer.Option(
            "--active",
            metavar="HOURS|always",
            help=_("The hours in which anything is exchanged: 06:00-22:00."),
            show_default=False,
        ),
    ] = None,
    interval: Annotated[
        str | None,
        typer.Option(
            "--interval",
            metavar="TIME|off",
            help=_("Exchange every 15m or 2h; off: each change at once."),
            show_default=False,
        ),
    ] = None,
) -> int:
    wanted = {"incremental": incremental, "full": full, "active": active, "interval": interval}
    if all(one is None for one in wanted.values()):
        return session.show(session.call("schedule", mandate=mandate), reports.schedule)
    return session.show(session.call("schedule.set", mandate=mandate, **wanted), reports.schedule)


def pause(
    session: Session,
    mandate: OPTIONAL_MANDATE = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until", metavar="TIME", help=_("Until 23:45, for 2h, or until '2025-06-30 14:00'."), show_default=False
        ),
    ] = None,
) -> int:
    end = parse_end(until, datetime.fromtimestamp(time.time()).astimezone()) if until else None
    return session.show(session.call("pause", mandate=mandate, until=end), reports.resting)


def resume(session: Session, mandate: OPTIONAL_MANDATE = None) -> int:
    return session.show(session.call("resume", mandate=mandate), reports.resting)


def limit(
    session: Session,
    up: Annotated[
        str | None,
        typer.Option(
            "--up", metavar="RATE|off", help=_("The most that leaves, in bytes per second: 500K."), show_default=False
        ),
    ] = None,
    down: Annotated[
        str | None,
        typer.Option(
            "--down", metavar="RATE|off", help=_("The most that comes, in bytes per second: 2M."), show_default=False
        ),
    ] = None,
    cpu: Annotated[
        str | None,
        typer.Option(
            "--cpu",
            metavar="SHARE|off",
            help=_("The most of one processor that reading everything takes: 25%."),
            show_default=False,
        ),
    ] = None,
) -> int:
    if up is None and down is None and cpu is None:
        return session.show(session.call("limit"), reports.limits)
    return session.show(session.call("limit.set", up=up, down=down, cpu=cpu), reports.limits)


def wait(session: Session, mandate: OPTIONAL_MANDATE = None, timeout: TIMEOUT = None) -> int:
    timeout_s = parse_duration(timeout) if timeout else None
    with progress.shown(session.client, mandate, _("Waiting"), not session.as_json):
        waited = session.call("wait", (timeout_s or NO_END_S) + ANSWER_S, mandate=mandate, timeout_s=timeout_s)
    return session.show(waited, reports.waited)


def seen(session: Session, mandate: MANDATE) -> int:
    return session.show(session.call("seen", mandate=mandate), reports.seen)


def conflicts(
    session: Session,
    mandate: OPTIONAL_MANDATE = None,
    path: Annotated[
        str | None,
        typer.Argument(
            metavar="PATH",
            help=_("The file to decide about. Without it, the open conflicts are listed."),
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        str | None,
        typer.Option(
            "--keep",
            metavar="ID|DEVICE|mine|theirs",
            help=_(
                "The version that shall stand on all PCs: mine is the one saved on this PC, theirs the one saved on "
                "the other; or give the id of a version, or the name or id of the PC that saved it."
            ),
            show_default=False,
        ),
    ] = None,
) -> int:
    if (path is None) != (keep is None):
        raise CommandFailed(
            _("To choose a version, give both: p2psync conflicts MANDATE PATH --keep ID|DEVICE|mine|theirs"),
            WRONG_USAGE,
        )
    if path is None:
        return session.show(session.call("conflicts", mandate=mandate), reports.conflicts)
    return session.show(session.call("conflicts.keep", mandate=mandate, path=path, keep=keep), reports.kept)


def history(
    session: Session,
    mandate: OPTIONAL_MANDATE = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="ID", help=_("This run, with all its files."), show_default=False)
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help=_("Only runs that were not wholly done."))] = False,
) -> int:
    past = session.call("history", mandate=mandate, run=run, failed=failed)
    listed = reports.failed if failed else reports.history
    return session.show(past, listed if run is None else reports.past_run)


def verify(
    session: Session,
    mandate: MANDATE,
    repair: Annotated[
        bool, typer.Option("--repair", help=_("Bring the right bytes of damaged files back; what stood there is kept."))
    ] = False,
    last: Annotated[
        bool, typer.Option("--last", help=_("Read nothing: only tell what was found the last time, and when."))
    ] = False,
    timeout: TIMEOUT = None,
) -> int:
    if last and repair:
        raise CommandFailed(_("Give --repair or --last, not both."), WRONG_USAGE)
    if last:
        found = session.call("verify.last", mandate=mandate)
        return session.show(found, lambda answer: verifying.last(answer, mandate))
    timeout_s = parse_duration(timeout) if timeout else None
    with progress.shown(session.client, mandate, _("Verifying"), not session.as_json):
        checked = session.call("verify", NO_END_S, mandate=mandate, repair=repair, timeout_s=timeout_s)
    return session.show(checked, verifying.verified)


# -- versions ------------------------------------------------------------------------------------------


def versions(session: Session, mandate: MANDATE, path: PATH) -> int:
    return session.show(session.call("versions", mandate=mandate, path=path), reports.versions)


def restore(
    session: Session,
    mandate: MANDATE,
    path: PATH,
    version: Annotated[
        str | None,
        typer.Option(
            "--version",
            metavar="ID",
            help=_("The version with this id, as versions or conflicts shows it."),
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at",
            metavar="TIME",
            help=_("The version that stood in this PC's folder at that time: '2025-06-30 14:00'."),
            show_default=False,
        ),
    ] = None,
    to: Annotated[
        Path | None,
        typer.Option(
            "--to",
            metavar="FILE",
            help=_(
                "Write the version into this new file, and leave the folder as it is. A file that is there already "
                "is not overwritten."
            ),
            show_default=False,
        ),
    ] = None,
) -> int:
    if version is not None and at is not None:
        raise CommandFailed(_("Give --version or --at, not both."), WRONG_USAGE)
    restored = session.call(
        "restore",
        **{"mandate": mandate, "path": path, "version": version},
        **{"at": parse_moment(at) if at else None, "to": absolute(to) if to else None},
    )
    return session.show(restored, reports.restored)


# -- the log -------------------------------------------------------------------------------------------


def log(
    session: Session,
    mandate: MANDATE,
    verify: Annotated[bool, typer.Option("--verify", help=_("Check the chain and every signature."))] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            "--export", metavar="FILE", help=_("Write the whole signed log there, as JSON lines."), show_default=False
        ),
    ] = None,
) -> int:
    if verify and export is not None:
        raise CommandFailed(_("Give --verify or --export, not both."), WRONG_USAGE)
    if verify:
        return session.show(session.call("log.verify", LOG_TIMEOUT_S, mandate=mandate), reports.verified)
    if export is None:
        return session.show(session.call("log", LOG_TIMEOUT_S, mandate=mandate), reports.log)
    lines = session.call("log.export", LOG_TIMEOUT_S, mandate=mandate).data
    _write_lines(export, lines)
    data = {"file": absolute(export), "entries": len(lines)}
    session.show_data(data, lambda d: _("Wrote {n} signed entries into {file}").format(n=d["entries"], file=d["file"]))
    return 0


def _write_lines(path: Path, lines: Sequence[Any]) -> None:
    try:
        with path.expanduser().open("w", encoding="utf-8") as file:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    except OSError as error:
        raise CommandFailed(
            _("{file} could not be written: {reason}").format(file=path, reason=error.strerror or error), FAILED
        ) from None
