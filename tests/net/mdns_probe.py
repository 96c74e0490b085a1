"""A program for the lab: announces and looks for one secret by mDNS, and prints a JSON line for whatever it learns.

`python -m tests.net.mdns_probe SECRET PORT`, until its standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import sys

from p2psync.net.dialer import Sighting
from p2psync.net.mdns import Mdns


def say(what: str, *facts: object) -> None:
    print(json.dumps([what, *facts]), flush=True)


def say_sighting(sighting: Sighting) -> None:
    say("sighting", sighting.nonce.hex(), [list(address) for address in sighting.addresses])


async def main(secret: bytes, port: int) -> None:
    mdns = Mdns(
        on_sighting=say_sighting,
        on_gone=lambda nonce, name: say("gone", nonce.hex()),
        on_nonces=lambda nonces: say("nonce", nonces[0].hex()),
        on_network=lambda: say("network"),
    )
    mdns.update({b"mandate": (secret,)}, port)
    async with asyncio.TaskGroup() as group:
        running = group.create_task(mdns.run())
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        running.cancel()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1].encode(), int(sys.argv[2])))
