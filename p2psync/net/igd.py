"""A port of the home router, asked for by UPnP: who calls it from the Internet is passed on to this PC.

Anybody in the network can say that he is the router. He is believed for what he says of himself alone: only his own
address is called, little is read of what he answers, and a public address is all that comes of it, which members try.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from random import SystemRandom
from typing import Any, Final

import aiohttp
from async_upnp_client.client import UpnpRequester, UpnpService
from async_upnp_client.client_factory import UpnpFactory
from async_upnp_client.const import HttpRequest, HttpResponse
from async_upnp_client.exceptions import UpnpActionError, UpnpError
from async_upnp_client.search import SsdpSearchListener
from yarl import URL

from p2psync.errors import LinkError
from p2psync.net.addresses import parse_ip

ROUTER: Final = "urn:schemas-upnp-org:device:InternetGatewayDevice:1"
"""Newer ones answer to it too."""
LISTEN_S: Final = 2
REQUEST_S: Final = 4.0
DESCRIBE_S: Final = 20.0
"""How long a router may take to say what it can do: one that means no good never ends."""
ANSWER_BYTES_MAX: Final = 1 << 18
ROUTERS_MAX: Final = 4
"""That answer in one network."""
NETWORKS_MAX: Final = 4
PORTS_TRIED_MAX: Final = 4
PORT_MIN, PORT_MAX = 1024, 65_535
NAME: Final = "p2psync"
"""What the router's own pages show."""
PORT_TAKEN: Final = frozenset({718, 729})
ONLY_PERMANENT: Final = 725
"""Errors of AddPortMapping."""


class Gateway:
    """A router that opens ports; made by `find`."""

    def __init__(self, service: UpnpService, client: str) -> None:
        """`client`: this PC's address in the router's network."""
        self._service = service
        self._client = client
        self._random = SystemRandom()
        self._opened: int | None = None

    async def open(self, port: int, lease_s: int) -> tuple[str, int]:
        """Have this PC's TCP port open, or keep it open; returns the public address and port. Raises LinkError."""
        ip = parse_ip(str((await self._call("GetExternalIPAddress")).get("NewExternalIPAddress", "")))
        if ip is None or ip.version != 4 or not ip.is_global:
            raise LinkError("The router has no public address itself.")
        wanted = [self._opened or port, *(self._random.randint(PORT_MIN, PORT_MAX) for _ in range(PORTS_TRIED_MAX - 1))]
        for outside in wanted:
            if await self._map(outside, port, lease_s):
                self._opened = outside
                return str(ip), outside
        raise LinkError("The router has given all ports that were asked for to others.")

    async def close(self) -> None:
        """What was opened is not any more. Raises LinkError."""
        outside, self._opened = self._opened, None
        if outside is not None:
            await self._call("DeletePortMapping", **_outside(outside))

    async def _map(self, outside: int, inside: int, lease_s: int) -> bool:
        """False if somebody else has it."""
        for seconds in (lease_s, 0):
            try:
                await self._call(
                    "AddPortMapping",
                    **_outside(outside),
                    NewInternalPort=inside,
                    NewInternalClient=self._client,
                    NewEnabled=True,
                    NewPortMappingDescription=NAME,
                    NewLeaseDuration=seconds,
                )
            except LinkError as error:
                code = getattr(error.__cause__, "error_code", None)
                if code in PORT_TAKEN:
                    return False
                if code != ONLY_PERMANENT or not seconds:
                    raise
            else:
                return True
        return False

    async def _call(self, action: str, **arguments: Any) -> Mapping[str, Any]:
        try:
            return await self._service.action(action).async_call(**arguments)
        except UpnpActionError as error:
            raise LinkError("The router refuses: {reason}", reason=error) from error
        except Exception as error:  # whatever comes to the library of an answer that makes no sense
            raise LinkError("The router does not answer as it should: {reason}", reason=repr(error)) from error


async def find(own: Iterable[str]) -> Gateway | None:
    """The first router that opens ports, in the networks of these own IPv4 addresses; takes LISTEN_S and longer."""
    for location, client in await _locations(list(own)[:NETWORKS_MAX]):
        gateway = await at(location, client)
        if gateway is not None:
            return gateway
    return None


async def at(location: str, client: str) -> Gateway | None:
    """The router that describes itself there, if it opens ports."""
    factory = UpnpFactory(_Requester(), non_strict=True)
    try:
        async with asyncio.timeout(DESCRIBE_S):
            device = await factory.async_create_device(location)
    except Exception:  # as above: RecursionError for devices in devices, TypeError for a time that is none, and others
        return None
    for service in device.all_services:
        if all(map(service.has_action, ("AddPortMapping", "DeletePortMapping", "GetExternalIPAddress"))):
            return Gateway(service, client)
    return None


async def _locations(own: list[str]) -> list[tuple[str, str]]:
    """Where routers describe themselves, and this PC's address towards each."""
    found: list[tuple[str, str]] = []

    async def ask(client: str) -> None:
        heard: dict[str, None] = {}

        def answered(headers: Mapping[str, Any]) -> None:
            location = str(headers.get("location", ""))
            if len(heard) < ROUTERS_MAX and _host(location) == headers.get("_remote_addr", ("",))[0]:
                heard[location] = None

        listener = SsdpSearchListener(callback=answered, source=(client, 0), timeout=LISTEN_S, search_target=ROUTER)
        try:
            await listener.async_start()
            listener.async_search()
            await asyncio.sleep(LISTEN_S)
        except (OSError, UpnpError):
            pass  # a network that carries no multicast
        finally:
            listener.async_stop()
        found.extend((location, client) for location in heard)

    async with asyncio.TaskGroup() as group:
        for client in own:
            group.create_task(ask(client))
    return found


class _Requester(UpnpRequester):
    """Reads no more of an answer than a router has to say. That only the router is called, the library sees to."""

    async def async_http_request(self, http_request: HttpRequest) -> HttpResponse:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=REQUEST_S)) as session,
            session.request(
                http_request.method,
                http_request.url,
                headers=http_request.headers,
                data=http_request.body,
                allow_redirects=False,
            ) as response,
        ):
            said = bytearray()
            async for part in response.content.iter_any():
                said += part
                if len(said) > ANSWER_BYTES_MAX:
                    raise UpnpError("The router says too much.")
            return HttpResponse(response.status, response.headers, said.decode("utf-8", "replace"))


def _host(url: str) -> str:
    try:
        return URL(url).host or ""
    except ValueError:
        return ""


def _outside(port: int) -> dict[str, object]:
    return {"NewRemoteHost": "", "NewExternalPort": port, "NewProtocol": "TCP"}
