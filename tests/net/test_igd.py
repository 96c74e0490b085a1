"""A router opens a port as it can, is believed for nothing but that, and one that makes no sense is left alone."""

from __future__ import annotations

import pytest

from p2psync.errors import LinkError
from p2psync.net import igd
from tests.net.router import LOOPBACK, PUBLIC, Router, routing

CLIENT = "192.168.1.5"
LEASE_S = 600


async def gateway_of(router: Router) -> igd.Gateway:
    gateway = await igd.at(router.location, CLIENT)
    assert gateway is not None
    return gateway


@pytest.mark.asyncio
async def test_a_port_is_opened_kept_and_closed() -> None:
    async with routing() as router:
        gateway = await gateway_of(router)
        for _ in range(2):
            assert await gateway.open(4711, LEASE_S) == (PUBLIC, 4711)
            assert router.open == {4711: (CLIENT, 4711, LEASE_S)}
        await gateway.close()
        assert router.open == {}
        await gateway.close()


@pytest.mark.asyncio
async def test_a_port_that_another_pc_has_is_left_to_it() -> None:
    async with routing(errors=[718, 718, 0, 0]) as router:
        gateway = await gateway_of(router)
        host, port = await gateway.open(4711, LEASE_S)
        assert host == PUBLIC
        assert port != 4711
        assert router.open == {port: (CLIENT, 4711, LEASE_S)}
        assert await gateway.open(4711, LEASE_S) == (host, port), "the one that it has is kept"
        await gateway.close()
        router.errors = [718] * 9
        with pytest.raises(LinkError, match="to others"):
            await gateway.open(4711, LEASE_S)


@pytest.mark.asyncio
async def test_a_router_that_keeps_ports_for_ever_only() -> None:
    async with routing(errors=[725]) as router:
        gateway = await gateway_of(router)
        assert await gateway.open(4711, LEASE_S) == (PUBLIC, 4711)
        assert router.open == {4711: (CLIENT, 4711, 0)}


@pytest.mark.asyncio
async def test_a_router_that_refuses() -> None:
    async with routing(errors=[606]) as router:
        with pytest.raises(LinkError, match="606"):
            await (await gateway_of(router)).open(4711, LEASE_S)


@pytest.mark.parametrize("public", ["192.168.0.2", "100.64.0.7", "", "fe80::1", "no address"])
@pytest.mark.asyncio
async def test_a_router_behind_another_one_is_of_no_use(public: str) -> None:
    async with routing(public=public) as router:
        with pytest.raises(LinkError, match="no public address"):
            await (await gateway_of(router)).open(4711, LEASE_S)
        assert router.open == {}


@pytest.mark.asyncio
async def test_a_router_that_is_gone_is_told() -> None:
    async with routing() as router:
        gateway = await gateway_of(router)
    with pytest.raises(LinkError, match="does not answer"):
        await gateway.open(4711, LEASE_S)


@pytest.mark.asyncio
async def test_what_is_no_router_is_left_alone() -> None:
    async with routing(actions=("GetExternalIPAddress",)) as router:
        assert await igd.at(router.location, CLIENT) is None
        assert await igd.at(router.location + "/not", CLIENT) is None
    async with routing(padding=igd.ANSWER_BYTES_MAX) as router:
        assert await igd.at(router.location, CLIENT) is None
    assert await igd.at(router.location, CLIENT) is None


DEEP = 2_000
NONSENSE = {
    "no XML": "<",
    "another document": "<a/>",
    "a bomb": '<!DOCTYPE a [<!ENTITY b "b">]><a>&b;</a>',
    "devices in devices": '<root xmlns="urn:schemas-upnp-org:device-1-0">'
    + "<device><deviceList>" * DEEP
    + "</deviceList></device>" * DEEP
    + "</root>",
}


@pytest.mark.parametrize("said", NONSENSE)
@pytest.mark.asyncio
async def test_a_description_that_makes_no_sense_is_nothing_but_that(said: str) -> None:
    async with routing(description=NONSENSE[said]) as router:
        assert await igd.at(router.location, CLIENT) is None


@pytest.mark.parametrize("said", NONSENSE)
@pytest.mark.asyncio
async def test_an_answer_that_makes_no_sense_is_told_as_that(said: str) -> None:
    async with routing(answer=NONSENSE[said]) as router:
        with pytest.raises(LinkError, match="does not answer as it should"):
            await (await gateway_of(router)).open(4711, LEASE_S)


@pytest.mark.asyncio
async def test_who_describes_himself_without_end_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igd, "DESCRIBE_S", 0.05)
    async with routing(services=800) as router:
        assert await igd.at(router.location, CLIENT) is None
        assert router.described < router.services


@pytest.mark.asyncio
async def test_nobody_else_is_called_for_a_router() -> None:
    async with routing() as victim, routing(control=f"http://localhost:{victim.port}/control") as router:
        assert await igd.at(router.location, CLIENT) is None


@pytest.mark.asyncio
async def test_where_nobody_answers_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(igd, "LISTEN_S", 0)
    assert await igd.find([LOOPBACK]) is None
    assert await igd.find([]) is None
