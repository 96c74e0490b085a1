"""A home router that opens ports, on loopback: what of UPnP a client sees, and what may be wrong with it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from aiohttp import web

LOOPBACK = "127.0.0.1"
SERVICE = "urn:schemas-upnp-org:service:WANIPConnection:1"
PUBLIC = "45.77.10.9"

_DEVICE = """<?xml version="1.0"?><root xmlns="urn:schemas-upnp-org:device-1-0">
<specVersion><major>1</major><minor>0</minor></specVersion><device>
<deviceType>urn:schemas-upnp-org:device:WANConnectionDevice:1</deviceType><friendlyName>r</friendlyName>
<manufacturer>m</manufacturer><modelName>n</modelName><UDN>uuid:1</UDN><serviceList>{services}</serviceList>
</device></root>"""
_SERVICE = """<service><serviceType>{service}</serviceType><serviceId>urn:upnp-org:serviceId:WANIPConn1</serviceId>
<SCPDURL>/scpd.xml</SCPDURL><controlURL>{control}</controlURL><eventSubURL>/event</eventSubURL></service>"""
_ARGUMENTS = {
    "GetExternalIPAddress": (("out", "ExternalIPAddress", "string"),),
    "AddPortMapping": (
        *(("in", "RemoteHost", "string"), ("in", "ExternalPort", "ui2"), ("in", "Protocol", "string")),
        *(("in", "InternalPort", "ui2"), ("in", "InternalClient", "string"), ("in", "Enabled", "boolean")),
        *(("in", "PortMappingDescription", "string"), ("in", "LeaseDuration", "ui4")),
    ),
    "DeletePortMapping": (
        *(("in", "RemoteHost", "string"), ("in", "ExternalPort", "ui2"), ("in", "Protocol", "string")),
    ),
}


@dataclass(slots=True)
class Router:
    """What it was asked, and how it answers."""

    port: int = 0
    public: str = PUBLIC
    control: str = "/control"
    errors: list[int] = field(default_factory=list)
    """UPnP's numbers; taken from the front for each AddPortMapping."""
    padding: int = 0
    """Bytes more in each answer."""
    description: str = ""
    """What it says of itself instead of the truth."""
    answer: str = ""
    """What it answers to whatever is asked of it; "" for what belongs there."""
    services: int = 1
    """How often it says the same of itself."""
    described: int = 0
    """How often it was asked what a service can do."""
    open: dict[int, tuple[str, int, int]] = field(default_factory=dict)
    """By outer port: whose, inner port, lease."""
    actions: tuple[str, ...] = tuple(_ARGUMENTS)

    @property
    def location(self) -> str:
        return f"http://{LOOPBACK}:{self.port}/root.xml"

    async def describe(self, _request: web.Request) -> web.Response:
        services = _SERVICE.format(service=SERVICE, control=self.control) * self.services
        return self._answer(self.description or _DEVICE.format(services=services))

    async def describe_service(self, _request: web.Request) -> web.Response:
        self.described += 1
        variables = {variable: kind for several in _ARGUMENTS.values() for _, variable, kind in several}
        actions = "".join(
            f"<action><name>{action}</name><argumentList>{_arguments(action)}</argumentList></action>"
            for action in self.actions
        )
        table = "".join(
            f'<stateVariable sendEvents="no"><name>{name}</name><dataType>{kind}</dataType></stateVariable>'
            for name, kind in variables.items()
        )
        return self._answer(
            '<?xml version="1.0"?><scpd xmlns="urn:schemas-upnp-org:service-1-0">'
            f"<actionList>{actions}</actionList><serviceStateTable>{table}</serviceStateTable></scpd>"
        )

    async def control_it(self, request: web.Request) -> web.Response:
        if self.answer:
            return self._answer(self.answer)
        said = await request.text()
        action = request.headers["SOAPAction"].strip('"').rpartition("#")[2]
        given = dict(re.findall(r"<New(\w+)>([^<]*)</New", said))
        inner = ""
        if action == "GetExternalIPAddress":
            inner = f"<NewExternalIPAddress>{self.public}</NewExternalIPAddress>"
        elif action == "AddPortMapping":
            if self.errors and (error := self.errors.pop(0)):
                return self._fault(error)
            lease = int(given["LeaseDuration"])
            self.open[int(given["ExternalPort"])] = given["InternalClient"], int(given["InternalPort"]), lease
        else:
            self.open.pop(int(given["ExternalPort"]))
        return self._answer(_soap(f'<u:{action}Response xmlns:u="{SERVICE}">{inner}</u:{action}Response>'))

    def _fault(self, number: int) -> web.Response:
        detail = f'<UPnPError xmlns="urn:schemas-upnp-org:control-1-0"><errorCode>{number}</errorCode></UPnPError>'
        fault = f"<s:Fault><faultcode>s:Client</faultcode><detail>{detail}</detail></s:Fault>"
        return web.Response(status=500, text=_soap(fault), content_type="text/xml")

    def _answer(self, text: str) -> web.Response:
        return web.Response(text=text + " " * self.padding, content_type="text/xml")


@contextlib.asynccontextmanager
async def routing(**settings: object) -> AsyncIterator[Router]:
    router = Router(**settings)  # type: ignore[arg-type]
    app = web.Application()
    app.add_routes(
        [
            web.get("/root.xml", router.describe),
            web.get("/scpd.xml", router.describe_service),
            web.post("/control", router.control_it),
        ]
    )
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, LOOPBACK, 0)
        await site.start()
        router.port = runner.addresses[0][1]
        yield router
    finally:
        await runner.cleanup()


def _arguments(action: str) -> str:
    return "".join(
        f"<argument><name>New{name}</name><direction>{direction}</direction>"
        f"<relatedStateVariable>{name}</relatedStateVariable></argument>"
        for direction, name, _kind in _ARGUMENTS[action]
    )


def _soap(inner: str) -> str:
    return (
        '<?xml version="1.0"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/" '
        f's:encodingStyle="http://schemas.xmlsoap.org/soap/encoding/"><s:Body>{inner}</s:Body></s:Envelope>'
    )
