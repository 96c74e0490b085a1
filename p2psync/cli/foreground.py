"""`p2psync up`: this process becomes the daemon.

A daemon runs for months, so it should not carry what only reads command lines: that costs 12 MB and 0.1 s. A command
`up` that is simply right is therefore read here; any other one is read, and answered, like all commands.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from p2psync.cli.ending import guarded
from p2psync.cli.exits import FAILED
from p2psync.cli.home import home_path
from p2psync.core.value import value

NAME = "up"
OFF = "off"
"""Instead of an address: no web page."""
WITH_VALUE = frozenset({"--home", "--lang", "--listen", "--web", "--name", "--rendezvous", "--proxy", "--log"})
FLAGS = frozenset({"--json", "--no-mdns", "--no-port-mapping"})


@value
class Up:
    """What was asked for; None where nothing was said."""

    home: Path | None = None
    as_json: bool = False
    listen: str | None = None
    web: str | None = None
    name: str | None = None
    no_mdns: bool = False
    rendezvous: tuple[str, ...] = ()
    proxy: str | None = None
    no_port_mapping: bool = False
    log: str | None = None


def plain(words: Sequence[str]) -> Up | None:
    """The command line of a daemon; None for one of another command, for a question, or a mistake."""
    values: dict[str, list[str]] = {}
    commands = []
    rest = iter(words)
    for word in rest:
        option, equals, value = word.partition("=")
        if option in WITH_VALUE:
            value = value if equals else next(rest, "-")
        elif word not in FLAGS:
            commands.append(word)
        if value.startswith("-"):
            return None
        values.setdefault(option, []).append(value)
    if commands != [NAME]:
        return None
    last = {option: given[-1] for option, given in values.items()}
    return Up(
        Path(last["--home"]) if "--home" in last else None,
        "--json" in last,
        last.get("--listen"),
        last.get("--web"),
        last.get("--name"),
        "--no-mdns" in last,
        tuple(values.get("--rendezvous", ())),
        last.get("--proxy"),
        "--no-port-mapping" in last,
        last.get("--log"),
    )


def become(up: Up) -> int:
    """Run the daemon until it ends; returns the exit code of the command."""
    home = home_path(up.home)
    try:
        return guarded(lambda: run(home, up), home, up.as_json)
    except BrokenPipeError:
        return FAILED


def run(home: Path, up: Up) -> int:
    """The same, and raises P2PSyncError if it cannot start."""
    with uncollected():
        from p2psync.daemon import process
        from p2psync.daemon.config import ANYWHERE, LOCAL, LOOPBACK, Config, default_log, default_proxy, parse_endpoint
        from p2psync.daemon.node import Node

    config = Config(
        home=home,
        listen=parse_endpoint(up.listen) if up.listen else ANYWHERE,
        web=None if up.web == OFF else parse_endpoint(up.web, LOOPBACK) if up.web else LOCAL,
        name=up.name or "",
        mdns=not up.no_mdns,
        rendezvous=up.rendezvous,
        proxy=up.proxy or default_proxy(),
        port_mapping=not up.no_port_mapping,
        log=up.log or default_log(),
    )

    def ready(node: Node) -> None:
        address = node.web.login_url() if node.web is not None and up.web != OFF else ""
        print(f"ready {address}".rstrip(), flush=True)

    return process.run(config, ready)


@contextmanager
def uncollected() -> Iterator[None]:
    """What is imported in here stays, so the garbage collector does not look through it over and over."""
    gc.disable()
    try:
        yield
        gc.freeze()
    finally:
        gc.enable()
