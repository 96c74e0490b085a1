"""Every `Problem` in plain words: what it is, and what to do. The command line and the web page say the same."""

from __future__ import annotations

from typing import NamedTuple

from p2psync.core.problem import Code, Problem
from p2psync.i18n import _


class Words(NamedTuple):
    """A problem for people.

    `{path}` stands for the file, `{detail}` for what the system said or for a device's name, `{device}` for the
    beginning of that device's id, `{mandate}` for the mandate as commands take it.
    """

    sentence: str
    remedy: str


def words(code: Code) -> Words:
    """What to say of a kind of problem, in the language set."""
    return Words(*_TEXTS[code]())


def described(problem: Problem, mandate: str = "MANDATE", device: str = "?") -> Words:
    """What to say of one problem; `mandate` as commands take it, `device` the beginning of an id."""
    path = problem.path or _("the whole folder")
    sentence, remedy = words(problem.code)
    facts = {"path": path, "detail": problem.detail or "?", "mandate": mandate, "device": device}
    return Words(sentence.format(**facts), remedy.format(**facts))


_TEXTS = {
    Code.NAME_ESCAPES: lambda: (
        _("The name {path} would lead out of the folder on some PCs, so the file is not exchanged."),
        _("Rename the file."),
    ),
    Code.NAME_ILLEGAL: lambda: (
        _("The name {path} cannot be used on this PC, so the file is not here or not exchanged."),
        _("Rename the file, on the PC where it was made."),
    ),
    Code.NAME_TOO_LONG: lambda: (
        _("The name {path} is too long for this PC."),
        _("Shorten the name of the file or of the folders it lies in."),
    ),
    Code.NAME_COLLIDES: lambda: (
        _("{path} and {detail} are the same name on this PC: only one of them can be here."),
        _("Rename one of them, on a PC that has both."),
    ),
    Code.NAME_NOT_TEXT: lambda: (
        _("The name {path} is not valid text, so the file is not exchanged."),
        _("Rename the file."),
    ),
    Code.SYMBOLIC_LINK: lambda: (
        _("{path} is a link to somewhere else; links are not exchanged."),
        _("Put the file itself into the folder, or list the name in .p2psyncignore."),
    ),
    Code.SPECIAL_FILE: lambda: (
        _("{path} is no ordinary file and is not exchanged."),
        _("Move it out of the folder, or list the name in .p2psyncignore."),
    ),
    Code.LIVE_DATABASE: lambda: (
        _("{path} is the database that a bookkeeping program works in; it is not exchanged, as that would damage it."),
        _("Keep it outside the folder. Exchange its exports (.crp, .ecf, .ecs), or a backup of it."),
    ),
    Code.UNREADABLE: lambda: (
        _("{path} cannot be read: {detail}."),
        _("Give your user the right to read it. It is tried again by itself."),
    ),
    Code.LOCKED: lambda: (
        _("{path} is open in another program, which lets nobody else in."),
        _("Close the file there. It is tried again by itself."),
    ),
    Code.STILL_CHANGING: lambda: (
        _("{path} is being written all the time; it is exchanged when it stands still."),
        _("Nothing, unless this lasts: then see which program writes it."),
    ),
    Code.INCOMPLETE: lambda: (
        _("{path} was not written to its end; the others keep the version before."),
        _(
            "Export the file again in the bookkeeping program. A chart of accounts that is accounting's comes back "
            "when it is removed here."
        ),
    ),
    Code.DISK_FULL: lambda: (
        _("The disk is full: {path} could not be stored."),
        _("Make room on the disk. It is tried again by itself."),
    ),
    Code.READ_ONLY: lambda: (
        _("{path} cannot be written: the folder or its disk is read-only."),
        _("Give your user the right to write there. It is tried again by itself."),
    ),
    Code.DISK_ERROR: lambda: (
        _("The disk reports an error at {path}: {detail}."),
        _("Check the disk, and that it is connected. It is tried again by itself."),
    ),
    Code.CONTENT_MISSING: lambda: (
        _("{path} is known, but no PC that is connected has its content any more."),
        _("Switch on the PC where it was saved last, or save the file again."),
    ),
    Code.DAMAGED: lambda: (
        _("{path} has other bytes than were saved, and nobody saved it: its disk damaged it. It goes to nobody."),
        _("Bring the right ones back, from a kept version or another PC: p2psync verify {mandate} --repair"),
    ),
    Code.FOLDER_GONE: lambda: (
        _("The mandate's folder is gone. Nothing was deleted on the other PCs."),
        _("Connect the drive, or move the folder back to where it was."),
    ),
    Code.FOLDER_MARKER_GONE: lambda: (
        _("The folder is not the one that p2psync knows: .p2psync in it is missing. Nothing was deleted elsewhere."),
        _("Connect the right drive. If the folder was emptied on purpose, leave the mandate and join again."),
    ),
    Code.EDIT_REFUSED: lambda: (
        _("{path} may not be changed by this PC; the change was undone, and kept as a version."),
        _('See it with: p2psync versions {mandate} "{path}". If it should count, ask accounting or an admin.'),
    ),
    Code.PERIOD_FROZEN: lambda: (
        _("{path} belongs to the period {detail}, which is frozen: a change of it was set aside."),
        _(
            'The PC that saved it keeps it: see there p2psync versions {mandate} "{path}". If it should count, an '
            "admin unfreezes the period (p2psync period {mandate} --unfreeze {detail}), and that PC restores its "
            "version."
        ),
    ),
    Code.EXPORT_REFUSED: lambda: (
        _("What the other accounting program exported was not taken over: {detail}."),
        _("Export it anew; what is wrong in it is told by: p2psync chart import {mandate} FILE --dry-run"),
    ),
    Code.JOINED: lambda: (
        _("{path} joined by itself, as it is of the period after an attached file's: {detail}."),
        _(
            'Nothing, if it belongs to the mandate. If not: p2psync detach "{detail}". To let none join by itself: '
            "p2psync attach --mandate {mandate} --no-follow"
        ),
    ),
    Code.NAMED_OTHERWISE: lambda: (
        _("{detail} is of the period after an attached file's, but is called otherwise: it did not join by itself."),
        _(
            'If it belongs to the mandate: p2psync attach "{detail}" --mandate {mandate}. If not, tick it off: '
            "p2psync seen {mandate}"
        ),
    ),
    Code.ENTRIES_MISSING: lambda: (
        _("The index {path} names files of bookings that are not in the mandate: {detail}."),
        _(
            "Attach each of them on the PC whose program writes it: p2psync attach FILE --mandate {mandate}. If they "
            "are not to be exchanged, tick it off: p2psync seen {mandate}"
        ),
    ),
    Code.HOOK_FAILED: lambda: (
        _("The command that this PC runs when the books are marked as complete failed: {detail}."),
        _("It is not run again for this mark. Try it yourself, and see what is set with: p2psync hook"),
    ),
    Code.SET_ASIDE: lambda: (
        _("{path} here differed from the mandate's; yours was set aside, and the mandate's stands now."),
        _('If yours is the right one, bring it back with: p2psync restore {mandate} "{path}"'),
    ),
    Code.OPEN_CONFLICT: lambda: (
        _("{path} was changed on several PCs at the same time."),
        _('Choose with: p2psync conflicts {mandate} "{path}" --keep mine (or theirs).'),
    ),
    Code.INDEX_CONFLICT: lambda: (
        _("The index {path} has one number for several files: {detail}. All lines were kept."),
        _("Check it in the bookkeeping program that writes it."),
    ),
    Code.LOG_FORKED: lambda: (
        _("{detail} said two different things at the same time, as after a restored backup. Both are kept."),
        _("Look at the conflicts: p2psync conflicts {mandate}. If you know of no backup, ask the person there."),
    ),
    Code.DEVICE_CLONED: lambda: (
        _("{detail} runs on two PCs at once: somebody copied its whole disk, or p2psync's home directory."),
        _(
            "On the copy, end p2psync, delete its home directory, and join again with a new ticket. If you know of no "
            "copy, revoke the device: p2psync devices {mandate} --revoke {device}"
        ),
    ),
    Code.BLOCK_REFUSED: lambda: (
        _("Changes by {detail} were refused: it did not have the right. They are kept, and count nowhere."),
        _("See who did what with: p2psync log {mandate}. An admin can give the right."),
    ),
    Code.UPDATE_NEEDED: lambda: (
        _("Another PC uses a newer p2psync ({detail}); this mandate stands still here until this one is updated."),
        _("Update p2psync on this PC."),
    ),
    Code.CLOCK_WRONG: lambda: (
        _("The clocks of this PC and of {detail} are more than a day apart. Nothing is lost by that."),
        _("Set the clock, or let it be set by the network."),
    ),
    Code.DATABASE_REBUILT: lambda: (
        _("The database was damaged; it was set aside and made anew from the folder and the other PCs."),
        _("Look into the folder whether all is there, and check the disk."),
    ),
    Code.PEER_MISBEHAVED: lambda: (
        _("{detail} sent data that this PC cannot accept. The connection was closed and is tried again by itself."),
        _(
            "This message goes away ten minutes after it happened last. If it stays, update p2psync on that PC; if "
            "that does not help, an admin can exclude it: p2psync devices {mandate} --revoke {device}"
        ),
    ),
    Code.REMOVED: lambda: (
        _("This PC was removed from the mandate ({detail}). The folder stays as it is; nothing is exchanged any more."),
        _("Ask an admin why. To come back: p2psync mandate leave MANDATE, then join with a new invitation."),
    ),
}
