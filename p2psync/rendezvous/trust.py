"""How a daemon knows that a meeting host is the one it was told: by its key, or by its certificate's authority."""

from __future__ import annotations

import asyncio
import os
import ssl

from p2psync.errors import CodecError
from p2psync.rendezvous.protocol.address import HostAddress
from p2psync.rendezvous.protocol.pin import pin_of


class WrongKey(Exception):
    """The host shows another key than the pinned one."""


def context_for(address: HostAddress) -> ssl.SSLContext:
    """Checks the certificate where no key is pinned; where one is, `check_key` has to be called."""
    if address.pin is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        context = ssl.create_default_context()
        _load_authorities(context)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def check_key(address: HostAddress, transport: asyncio.BaseTransport) -> None:
    """To be called before anything is said. Raises WrongKey unless the host has the pinned key, if one is."""
    if address.pin is None:
        return
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    try:
        shown = pin_of((tls.getpeercert(binary_form=True) if tls is not None else None) or b"")
    except CodecError:
        raise WrongKey from None
    if shown != address.pin:
        raise WrongKey


def _load_authorities(context: ssl.SSLContext) -> None:
    """Those of the system, also where the environment points elsewhere: a daemon lets OpenSSL read none by default."""
    paths = ssl.get_default_verify_paths()
    cafile = paths.openssl_cafile if os.path.isfile(paths.openssl_cafile) else None
    capath = paths.openssl_capath if os.path.isdir(paths.openssl_capath) else None
    if cafile or capath:
        context.load_verify_locations(cafile, capath)
