"""Every exception that p2psync raises on purpose; each docstring is what its user reads.

::

    P2PSyncError
    |-- ProtocolError (abstract)
    |   |-- LocalProtocolError      we called something in the wrong state: a bug here
    |   `-- RemoteProtocolError     the other side broke the rules: its link is closed
    |-- CodecError                  bytes that are no frame, block, or message of ours
    |-- InvalidPath                 a name that may not enter a mandate
    |-- InvalidId                   text or bytes that are no id
    |-- SignatureInvalid            a block or proof whose signature does not verify
    |-- NotAllowed                  the act needs a right that this device does not have
    |-- TicketError
    |   |-- TicketMalformed
    |   |-- TicketExpired
    |   |-- TicketUsed
    |   |-- TicketCancelled
    |   `-- TicketRefused
    |-- LinkError
    |   |-- LinkClosed
    |   `-- PeerRefused
    |-- StoreError
    |   |-- SchemaTooNew
    |   `-- StoreDamaged
    |-- FolderError                 the mandate's folder cannot be used
    |-- ConfigError
    |   `-- HomeInUse
    |-- MandateLocal                nobody can join what is not shared
    |-- UsageError                  the command does not fit what is there
    |-- DaemonNotRunning
    `-- DaemonStopping              it takes no more questions: no failure of whoever asks

What an error says is a template and the fields that are filled into it: the pure modules know no language, and the
shells say the same in that of the user (`i18n.said`).

Trouble with one file is no exception but a `Problem` (`core.problem`): it is collected and shown,
and everything else goes on.
"""

from __future__ import annotations


class P2PSyncError(Exception):
    """Something p2psync was asked to do failed."""

    def __init__(self, sentence: str = "", /, **fields: object) -> None:
        """With `fields`, `sentence` is a template for `str.format`; without, braces in it mean nothing."""
        super().__init__(sentence.format(**fields) if fields else sentence)
        self.sentence = sentence
        """What catalogs know it by."""
        self.fields = fields


class ProtocolError(P2PSyncError):
    """Two devices could not talk to each other."""


class LocalProtocolError(ProtocolError):
    """p2psync called itself in the wrong order. Please report this."""


class RemoteProtocolError(ProtocolError):
    """The other device broke the protocol; the link was closed and will be tried again."""


class CodecError(P2PSyncError):
    """Bytes that are not a message of this version of p2psync."""


class InvalidPath(P2PSyncError):
    """A file name that cannot be part of a mandate. Rename the file."""

    def __init__(self, sentence: str, code: str = "name-illegal", /, **fields: object) -> None:
        super().__init__(sentence, **fields)
        self.code = code
        """Always a `core.problem.Code`, one of its NAME_ ones: `Code(error.code)`."""


class InvalidId(P2PSyncError):
    """Not a valid id. Check that it was copied whole."""


class SignatureInvalid(P2PSyncError):
    """A signature does not verify; what it should vouch for was refused."""


class NotAllowed(P2PSyncError):
    """This device does not have the right to do that. Ask an admin of the mandate."""


class TicketError(P2PSyncError):
    """The ticket cannot be used."""


class TicketMalformed(TicketError):
    """This is no ticket, or it was copied incompletely or with a typing error. Copy it again, whole."""


class TicketExpired(TicketError):
    """This ticket has expired. Ask for a new one."""


class TicketUsed(TicketError):
    """This ticket has been used already; each ticket works once. Ask for a new one."""


class TicketCancelled(TicketError):
    """This ticket was cancelled by the one who issued it. Ask for a new one."""


class TicketRefused(TicketError):
    """The inviting device does not know this ticket. Ask for a new one."""


class LinkError(P2PSyncError):
    """The connection to another device failed."""


class LinkClosed(LinkError):
    """The connection to the other device was closed."""


class PeerRefused(LinkError):
    """The other device refused the connection: it does not know this device (any more)."""


class StoreError(P2PSyncError):
    """The database of this device could not be read or written."""


class SchemaTooNew(StoreError):
    """The database was written by a newer p2psync. Update p2psync on this PC."""


class StoreDamaged(StoreError):
    """The database is damaged. It is set aside and rebuilt from the folder and the other devices."""


class FolderError(P2PSyncError):
    """The folder cannot be used for a mandate."""


class ConfigError(P2PSyncError):
    """A setting is wrong."""


class HomeInUse(ConfigError):
    """Another p2psync already runs with this home directory. Stop it first, or use another --home."""


class MandateLocal(P2PSyncError):
    """The mandate is only on this PC: nobody can join it. Share it first: p2psync share"""


class UsageError(P2PSyncError):
    """The command does not fit what is there."""


class DaemonStopping(P2PSyncError):
    """p2psync is stopping."""


class DaemonNotRunning(P2PSyncError):
    """p2psync is not running. Start it with: p2psync start"""
