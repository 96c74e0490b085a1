"""A proxy that was named once holds until another one is, and everything that calls far away goes through it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from p2psync.errors import ConfigError
from tests.daemon.homes import pcs
from tests.daemon.meetings import invite_from_afar, meeting_host, relayed
from tests.daemon.patience import until
from tests.proxying import NAME, proxying
from tests.rendezvous.hosting import address_of

PROXY, OTHER = "http://anna:s3cret@10.0.0.1:3128", "socks5://10.0.0.2"


@pytest.mark.asyncio
async def test_a_proxy_holds_until_another_one_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for given, holds in (("", "system"), (PROXY, PROXY), ("", PROXY), (OTHER, OTHER), ("off", "off"), ("", "off")):
        async with pcs(tmp_path, "pc", proxy=given) as (pc,):
            assert pc.running.discovery.proxies.named == holds
            assert "s3cret" not in repr(pc.running.config)
    monkeypatch.setenv("P2PSYNC_PROXY", PROXY)
    for holds in (PROXY, PROXY):
        async with pcs(tmp_path, "pc") as (pc,):
            assert pc.running.discovery.proxies.named == holds
        monkeypatch.delenv("P2PSYNC_PROXY", raising=False)
    with pytest.raises(ConfigError, match="no address of a proxy"):
        async with pcs(tmp_path, "pc", proxy="gopher://x"):
            pass


@pytest.mark.asyncio
async def test_who_can_go_out_through_a_proxy_only_syncs(tmp_path: Path) -> None:
    async with meeting_host(tmp_path) as server, proxying(login=("anna", "s3cret")) as middle, relayed():
        beyond = str(replace(address_of(server), host=NAME))
        proxy = f"socks5://anna:s3cret@127.0.0.1:{middle.port}"
        async with pcs(tmp_path, "one", rendezvous=(beyond,), proxy=proxy) as (one,):
            async with pcs(tmp_path, "two", proxy=proxy) as (two,):
                await one.create()
                await two.join(await invite_from_afar(one))
                await one.in_sync(1)
                (row,) = (await one.call("status"))["rendezvous"]
                assert (row["connected"], row["proxy"]) == (True, str(middle.named("socks5")))
                assert set(middle.asked) == {(NAME, server.port)}
            await one.stop()
            one.config = replace(one.config, proxy=proxy.replace("s3cret", "wrong"))
            await one.start()

            async def told() -> bool:
                (row,) = (await one.call("status"))["rendezvous"]
                return "wants another user name and password" in (row["problem"] or "")

            await until(told, "the host's row says what is wrong")
