"""What the page's views of one mandate, of all together, and of this PC say."""

from __future__ import annotations

from p2psync.i18n import _
from p2psync.words import Texts


def view_texts() -> Texts:
    """By the names under which the page's JavaScript asks for them."""
    return {
        **_columns(),
        **_files(),
        **_devices(),
        **_addresses(),
        **_invitations(),
        **_mandate(),
        **_books(),
        **_chart(),
        **_runs(),
        **_verify(),
        **_log(),
        **_overview(),
        **_this_pc(),
    }


def _columns() -> Texts:
    return {
        "file": _("file"),
        "files": _("files"),
        "period": _("period"),
        "saved": _("saved"),
        "size": _("size"),
        "by": _("by"),
        "time": _("time"),
        "name": _("name"),
        "number": _("number"),
        "remarks": _("remarks"),
        "kind": _("kind"),
        "folder": _("folder"),
        "mandate": _("mandate"),
        "set-it": _("Set"),
        "is-set": _("It is set."),
        "this-pc": _("this PC"),
    }


# -- one mandate ---------------------------------------------------------------------------------------


def _files() -> Texts:
    return {
        "who-has": _("Files, by the PC that they come from"),
        "was-member": _("was a member"),
        "no-files": _("no bookkeeping files"),
        "not-yet-at": _("not yet at {devices}"),
        "at-all": _("at all devices"),
        "only-here": _("only on this PC"),
        "attached": _("Your programs' files on this PC"),
        "attached-are": _("What your program saves goes to the others; what they save arrives in its file."),
        "none-attached": _("No program's file is attached to this mandate yet."),
        "programs-file": _("program's file"),
        "called-here": _("its name in the mandate"),
        "delivered": _("delivered"),
        "detach": _("Detach"),
        "detach-sure": _("Detach {file}? The file itself stays as it is."),
        "attach": _("Attach another program's file"),
        "attach-how": _("For a chart of accounts (.crp) or files of bookings (.ecf, .ecs) anywhere on this PC."),
        "attach-admins": _("Programs' files are attached and detached by admins alone."),
        "whole-path": _("file, with its folders"),
        "path-hint": _("As in: C:\\Books\\Cargo 2025.crp"),
        "when-arrives": _("what arrives"),
        "deliver-auto": _("is delivered by itself"),
        "deliver-checked": _("is delivered if nothing is wrong"),
        "deliver-ask": _("waits for my word"),
        "arrives-hint": _(
            "What waits for your word is listed with the mandate and has a button; until you press it, your program's "
            "file stays as it is."
        ),
        "follow-on": _("files of a new period join by themselves"),
        "follow-on-hint": _(
            "When your program makes next year's files beside this year's. It holds for all files of this mandate on "
            "this PC; to change only this, leave the file empty."
        ),
        "follows": _("Files of a new period that your program makes beside these join by themselves."),
        "follows-not": _("Files of a new period do not join by themselves: attach each of them."),
        "siblings": _("also the files that the index beside it (.ecc) names"),
        "attach-it": _("Attach"),
        "is-attached": _("Attached: {file}."),
        "is-not-attached": _("Not attached: {reason}"),
        "proposed": _("The index beside it names these, too: {files}"),
        "twin": _(
            "! {mandate} has a chart of accounts with the same title and period as {file}: is it the same company?"
        ),
        "exchanged": _("What is exchanged"),
        "exchanged-order": _("In this order: what the next kind needs comes before it."),
        "changed-by": _("changed by"),
        "prefers": _("{roles}; in a conflict {master} wins"),
        "all-files": _("All files"),
        "why-kept": _("why it is kept"),
        "no-versions": _("No version of this file is kept on this PC."),
        "restore": _("Bring back"),
        "restore-sure": _("Let {file} be as in this version again, on all PCs? What it holds now is kept, too."),
        "restored": _("It is back; the others get it, too."),
        "whose": _("Whose file it is"),
        "whose-why": _("In a conflict the version of this PC wins. Choose the new one when a PC is replaced."),
        "migrate": _("Give it to this PC"),
        "belongs": _("{path} belongs to {device} now."),
    }


def _devices() -> Texts:
    return {
        "devices": _("Devices of this mandate"),
        "let-in": _("let in by"),
        "let-in-by": _("{name}, {time}"),
        "fingerprint": _("fingerprint"),
        "admin": _("admin"),
        "primary": _("decides in doubt"),
        "here": _("here"),
        "no-admin": _("Only an admin can invite devices or change what they may do."),
        "approve": _("Let in"),
        "approve-sure": _("Let {device} in? Compare by telephone: its fingerprint there must be {fingerprint}."),
        "decline": _("Decline"),
        "decline-sure": _("Do not let {device} ({fingerprint}) in?"),
        "revoke": _("Revoke"),
        "revoke-sure": _(
            "Refuse {device} from now on? It gets nothing new; what it has already cannot be called back."
        ),
        "change-role": _("What a device may do"),
        "persons": _("Who works where"),
        "persons-why": _("All PCs of the mandate show it. An admin can say it of every PC, you of this one."),
        "person": _("Who works there"),
        "person-hint": _("Leave it empty to take it away."),
    }


def _addresses() -> Texts:
    return {
        "addresses": _("Where to look for the other PCs"),
        "addresses-why": _(
            "PCs in the same network find each other by themselves. Name here where a PC of another network can be "
            "reached. This holds for this PC alone."
        ),
        "no-addresses": _("No address is named."),
        "address": _("address and port"),
        "address-hint": _("As in: 192.168.1.20:4710, or office.example.ch:4710."),
        "add-address": _("Add"),
    }


def _invitations() -> Texts:
    return {
        "share": _("Share this mandate"),
        "share-title": _("Share with other PCs"),
        "share-why": _("Until now nobody else can find this mandate. Once it is shared, you can invite other PCs."),
        "share-sure": _("Share {mandate}? Other PCs can join it then, if you invite them."),
        "invite": _("Invite a PC"),
        "invite-why": _("You get a ticket, with which the other PC joins the mandate."),
        "role-new": _("what it does"),
        "valid": _("can be used for"),
        "one-hour": _("one hour"),
        "one-day": _("one day"),
        "one-week": _("one week"),
        "must-approve": _("an admin must approve the new device"),
        "as-code": _("a short code to be said instead of a ticket (for a day at most)"),
        "make-ticket": _("Make the ticket"),
        "invited": _("The invitation is made."),
        "ticket": _("Ticket"),
        "code": _("Code"),
        "ticket-secret": _(
            "Whoever has this ticket can join: hand it over yourself, never by plain e-mail; delete it afterwards."
        ),
        "valid-until": _("It can be used until {time}."),
        "copy": _("Copy"),
        "copied": _("Copied."),
        "save-file": _("Save as a file"),
        "put-away": _("Put away"),
        "open-invites": _("Open invitations"),
        "uses-left": _("devices that may join"),
        "cancel": _("Cancel"),
    }


def _mandate() -> Texts:
    return {
        "recovery": _("In case the only admin's PC is lost"),
        "recovery-why": _(
            "The recovery file makes any PC an admin of this mandate. Save it, keep it offline (on a USB stick in a "
            "safe, say) and not on this PC."
        ),
        "recovery-save": _("Save the recovery file"),
        "recovery-safe": _("It is in a safe place: forget the key on this PC"),
        "recovery-forgotten": _("This PC has forgotten the key."),
        "rename": _("Rename"),
        "rename-why": _("The new name is used on all devices. The folders keep their names."),
        "leave": _("Leave the mandate"),
        "leave-title": _("Leave on this PC"),
        "leave-why": _("Nothing is exchanged any more; the files stay on this PC unless you say otherwise."),
        "wipe": _("delete the folder with all its files and versions"),
        "leave-sure": _("Leave {mandate} on this PC? To come back, a new invitation is needed."),
        "left": _("Left. The files stay in {folder}"),
        "left-wiped": _("Left. The folder was deleted: {folder}"),
        "no-such-mandate": _("There is no such mandate on this PC."),
        "not-shown": _("This cannot be shown now"),
        "no-chart": _("There is no chart of accounts (.crp) yet."),
        "attach-one": _("Attach one"),
    }


# -- books ---------------------------------------------------------------------------------------------


def _books() -> Texts:
    return {
        "bookings": _("Bookings"),
        "no-bookings": _("There are no files of bookings in the folder."),
        "saved-by": _("saved by"),
        "posted-by": _("posted by {name}, {time}"),
        "delivered-to": _("delivered to {names}"),
        "published": _("published"),
        "to-be-posted": _("waits to be posted"),
        "unpost": _("Not posted after all"),
        "rewritten": _(
            "! {file} has the bookings that were posted, but its program wrote them anew: were they taken back?"
        ),
        "periods": _("Accounting periods"),
        "no-periods": _("No chart of accounts in the folder states a period."),
        "open": _("open"),
        "frozen-by": _("frozen by {name}, {time}"),
        "freeze": _("Freeze …"),
        "freeze-why": _("Files of a frozen period cannot be changed any more, on no PC."),
        "freezing": _("Freeze {period}, with {files}?"),
        "freeze-now": _("Freeze"),
        "not-now": _("Not now"),
        "unfreeze": _("Open again"),
        "unfreeze-sure": _("Let the files of {period} be changed again?"),
        "late-saved": _("! {file}: saved by {name} ({time}), too late for {period}; kept on that PC as a version."),
        "late-removed": _("! {file}: removed by {name} ({time}), too late for {period}; it stays."),
        "complete": _("How far the books are"),
        "complete-said": _("The books are complete until {day}, says {name} ({time})."),
        "complete-unsaid": _("Accounting has not said yet up to which day the books are complete."),
        "until-day": _("books complete until"),
        "note": _("a word to the others"),
        "note-hint": _("May stay empty. All members see it."),
        "check": _("Check bookings"),
        "check-why": _("Compares each booking with the chart of accounts of its period."),
        "check-now": _("Check now"),
        "nothing-to-check": _("There are no files of bookings and no chart of accounts in the folder."),
        "nothing-wrong": _("{file}: nothing wrong"),
        "unreadable": _("{file} cannot be read: {reason}"),
    }


def _chart() -> Texts:
    return {
        "accounts": _("Chart of accounts"),
        "from-to": _("from {begin} to {end}"),
        "no-period": _("(it states no accounting period)"),
        "chart-saved": _("saved by {name}, {time}"),
        "followed": _("taken over by itself from {file}"),
        "old-chart": _("! {name} still uses the version of {time}."),
        "deleted": _("Deleted by accounting: {number} ({day}). Confirmed by {n} of {all} other devices."),
        "other-charts": _("Other charts:"),
        "account": _("account"),
        "category": _("category"),
        "vat": _("VAT"),
        "vat-code": _("VAT code"),
        "rate": _("rate"),
        "what-for": _("what for"),
        "net-days": _("net days"),
        "discounts": _("discounts"),
        "discount": _("{percent} % in {days} days"),
        "quantity": _("quantity"),
        **_master_data(),
    }


def _master_data() -> Texts:
    return {
        "import": _("Take master data over from another accounting program"),
        "import-why": _(
            "It exports accounts, cost centres and payment terms as XML or CSV; all PCs get them from here."
        ),
        "export-hint": _("The export, as in: C:\\Books\\export.xml"),
        "dry-run": _("only say what would change"),
        "keep-missing": _("keep what the file leaves out"),
        "follow": _("take it over again whenever the program writes it anew"),
        "unfollow": _("Take it over by itself no longer"),
        "take-over": _("Take over"),
        "taken": _("Taken over: {file}"),
        "not-taken": _("Nothing was taken over; this is what would change: {file}"),
        "import-wrong": _("{file} has mistakes: nothing was taken over."),
        "import-counts": _("{n} records: +{new} ~{changed} -{deleted}"),
        "kept-missing": _("kept, though left out: {what}"),
        "remove": _("Remove"),
        "remove-sure": _("Remove {number}? The accounting program has marked it as deleted."),
    }


# -- work ----------------------------------------------------------------------------------------------


def _runs() -> Texts:
    return {
        "sync": _("Synchronise now"),
        "sync-all": _("Synchronise all mandates"),
        "sync-why": _("Files are exchanged all the time; a run waits until all connected devices have the same."),
        "what": _("what"),
        "only-all": _("everything"),
        "only-master": _("master data only (.crp)"),
        "only-entries": _("bookings only (.ecf, .ecs)"),
        "full-run": _("read every file again"),
        "full-when": _(
            "It is needed after a backup was restored, when a disk is in doubt, or for a difference that nobody can "
            "explain; every month there is one by itself."
        ),
        "preview": _("What would be exchanged?"),
        "would-move": _("Nothing was done. A run would move:"),
        "would-read": _("A full run would read {files} ({size}) of this PC again. {when}"),
        "nothing-to-exchange": _("There is nothing to exchange."),
        "running": _("Under way."),
        "running-full": _("Under way: every file is read again."),
        "stop-run": _("Stop"),
        "read-so-far": _("how much was read"),
        "read-of": _("{files} of {all}, {size} of {whole}"),
        "pause-why": _("Nothing is exchanged while it rests, as for a backup; what you save goes to the others then."),
        "until": _("until"),
        "until-hint": _("Empty: until you go on."),
        "history": _("Past runs"),
        "no-runs": _("No run yet."),
        "run": _("run"),
        "why": _("why"),
        "result": _("result"),
        "show-run": _("Show"),
        "show-all": _("Show all"),
        "show-failed": _("Show only what failed"),
        "direction": _("way"),
        "sent": _("↑ sent"),
        "received": _("↓ received"),
        "checked-with": _("Checked {time} with {devices}."),
        "absent-get-later": _("Not connected, gets it later: {devices}"),
        "and-more": _("and {files} more"),
    }


def _verify() -> Texts:
    return {
        "verify": _("Verify"),
        "verify-why": _(
            "Reads every file and every kept version again, checks the signatures of the log, and asks the connected "
            "PCs whether they have the same. Nothing is changed. Leave this page open meanwhile."
        ),
        "verify-now": _("Check every file"),
        "verifying": _("Every file is being read."),
        "not-verified": _("Nobody has asked for this check on this PC yet."),
        "findings": _("What was found, {time}"),
        "was-read": _("Read {files} ({size}) and {versions}."),
        "damaged": _("Damaged on this disk, though nobody saved it:"),
        "repair": _("Repair what is damaged"),
        "repair-how": _("From a kept version or from another PC that is on; the damaged file is kept as a version."),
        "repaired": _("Was damaged, and is right again; what stood there is kept as a version:"),
        "damaged-versions": _("Kept versions that are damaged:"),
        "changing": _("Saved just now, and published as ever:"),
        "all-right": _("Every byte is as it was saved."),
        "log-whole": _("The log is whole: {entries} by {devices}, every signature and link verified."),
        "log-broken": _("The log is not whole. First bad entry: no. {seq} by {device}: {reason}"),
        "identical-on": _("Identical on {n}/{all} devices:"),
        "same-here": _("identical (this PC)"),
        "differs-here": _("not as the log says (this PC)"),
        "same-there": _("identical, as it confirmed"),
        "lacks": _("has not everything yet"),
    }


def _log() -> Texts:
    return {
        "log": _("Who changed what, and when"),
        "log-why": _("Every PC signs what it does. Nobody can change an entry unnoticed."),
        "export": _("Save the whole log for an archive"),
        "newest": _("The newest {n} entries."),
        "no-log": _("Nothing was written into the log yet."),
        "what-done": _("what"),
        "about": _("about"),
        "refused": _("{what} (refused)"),
    }


# -- all together, and this PC ---------------------------------------------------------------------------


def _overview() -> Texts:
    return {
        "choose": _("choose"),
        "to-post": _("to post"),
        "conflicts-short": _("conflicts"),
        "problems-short": _("problems"),
        "last-sync": _("last in sync"),
        "your-action": _("your action"),
        "and-n-more": _("{action}, and {n} more"),
        "with-chosen": _("In all chosen mandates"),
        "with-chosen-why": _("Tick mandates in the table above, then:"),
        "post-sure": _("Mark everything that waits in the chosen mandates as posted?"),
        "none-chosen": _("Choose at least one mandate first."),
        "done-in-all": _("Done in all chosen mandates."),
    }


def _this_pc() -> Texts:
    return {
        "pc-is": _("It is called {name}. Its fingerprint: {fingerprint}"),
        "compare": _("When a PC joins, compare its fingerprint by telephone: both PCs must show the same."),
        "limit": _("How much of the Internet line and of a processor p2psync takes"),
        "limit-why": _("Within your own network there is no limit."),
        "limits-are": _("To and from places outside of this network: up {up}, down {down}"),
        "per-second": _("{size} per second"),
        "no-limit": _("no limit"),
        "up": _("up, kB per second"),
        "down": _("down, kB per second"),
        "rate-hint": _("At least 50. Empty: no limit."),
        "cpu": _("reading everything, % of one processor"),
        "cpu-hint": _("From 1 to 100. Empty: no limit. Small files that you save are read at once all the same."),
        "cpu-is": _("Reading everything: at most {share} of one processor"),
        "unlimit": _("Take the limits away"),
        "schedule": _("When p2psync works by itself"),
        "incremental": _("looking for changes"),
        "every-night": _("Every night at this time. Empty: never."),
        "full-runs": _("reading every file again"),
        "every-month": _("Every month at this time. Empty: never."),
        "active-from": _("active from"),
        "active-to": _("active until"),
        "active-hint": _("Outside of these hours nothing is exchanged. Empty: always active."),
        "exchange": _("exchange"),
        "on-change": _("on each change"),
        "every": _("every {interval}"),
        "every-next": _("every {interval}, next at {time}"),
        "interval": _("exchange every"),
        "interval-hint": _("Like 15m or 2h, from 1m to 24h; what you save waits until then. Empty: on each change."),
        "all-mandates": _("all mandates"),
        "monthly-on": _("day {day} of each month, {time}"),
        "next-run": _("next run"),
        "rest-all": _("Let all mandates rest"),
        "pause-all": _("Pause all"),
        "resume-all": _("Go on with all"),
        "doctor": _("Is all well with this PC?"),
        "doctor-why": _("Looks at the clock, the network, the other PCs, the folders and the disks."),
        "doctor-now": _("Look now"),
    }
