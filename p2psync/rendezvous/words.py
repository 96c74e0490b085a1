"""What went wrong with a meeting host, in sentences for people, with the remedy."""

from __future__ import annotations

import socket
import ssl

from p2psync.errors import LinkError
from p2psync.i18n import _
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.messages import Reason
from p2psync.system.reason import reason_of


def refusal(address: HostAddress, reason: Reason) -> LinkError:
    """The host said no."""
    host = address.url
    match reason:
        case Reason.NO_RELAY:
            text = _("The meeting host {host} does not relay. Use another one, or open a port on one of the routers.")
        case Reason.NOBODY_CAME:
            text = _("The other device did not come to the meeting host {host} in time.")
        case Reason.RELAY_FULL:
            text = _("The relay of the meeting host {host} is full. It is tried again.")
        case Reason.HOST_FULL | Reason.TOPIC_FULL | Reason.TOO_MANY_TOPICS:
            text = _("The meeting host {host} is full. It is tried again; if it stays so, use another one.")
        case Reason.TOO_FAST | Reason.TOO_SLOW:
            text = _("The meeting host {host} cut this device off, for too much traffic at once. It is tried again.")
        case Reason.MALFORMED:
            text = _("The meeting host {host} does not understand this version of p2psync. Update both.")
        case _:
            text = _("The meeting host {host} ended the connection. It is tried again.")
    return LinkError(text.format(host=host))


def wrong_key(address: HostAddress) -> LinkError:
    """Somebody else answers, or the operator made a new key."""
    return LinkError(
        _(
            "What answers at {host} is not the meeting host that was named: it has another key. Ask its operator for "
            "the address as it is now."
        ).format(host=address.url)
    )


def described(address: HostAddress, error: OSError) -> LinkError:
    """The host cannot be reached."""
    host = address.url
    if isinstance(error, ssl.SSLCertVerificationError):
        return unverified(address, error)
    if isinstance(error, ssl.SSLError):
        return LinkError(
            _("What answers at {host} is no meeting host: it does not speak TLS 1.3. Check the address.").format(
                host=host
            )
        )
    if isinstance(error, socket.gaierror):
        return LinkError(
            _(
                "There is no host named {name}, or names cannot be looked up now: check the address, and the network."
            ).format(name=address.host)
        )
    return LinkError(
        _(
            "The meeting host {host} cannot be reached: {reason}. It is tried again by itself; if it stays so, check "
            "the address and this PC's network, and ask its operator."
        ).format(host=host, reason=reason_of(error))
    )


def silent(address: HostAddress) -> LinkError:
    """Something is there, perhaps, and says nothing."""
    return described(address, OSError(_("it does not answer")))


def unverified(address: HostAddress, error: Exception) -> LinkError:
    """No authority that this PC trusts vouches for the certificate."""
    return LinkError(
        _(
            "The certificate of the meeting host {host} is not valid: {reason}. Is this PC's clock right? If the host "
            "made its certificate itself, its address needs the key behind it: {host}#KEY"
        ).format(host=address.url, reason=getattr(error, "verify_message", "") or error)
    )


def no_host(address: HostAddress) -> LinkError:
    """Something else answers there."""
    return LinkError(
        _("What answers at {host} is no meeting host of p2psync. Check the address.").format(host=address.url)
    )


def other_version(address: HostAddress) -> LinkError:
    return LinkError(
        _("The meeting host {host} speaks another version. Update p2psync there and here.").format(host=address.url)
    )


def wrong_clock(address: HostAddress, off_s: float) -> str:
    """The clocks differ by so much that members may not meet."""
    hours = round(abs(off_s) / 3600)
    return _(
        "This PC's clock differs from that of the meeting host {host} by {hours} hours. Devices meet only if their "
        "clocks are right to a day: set the clock."
    ).format(host=address.url, hours=hours)
