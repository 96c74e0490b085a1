"""Syncthing: tuned for this race, as it comes, and with the shortest of delays."""

from __future__ import annotations

import copy
import http.client
import json
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from benchmarks.clock import pause, wait_until
from benchmarks.hosts import Host, ToolFailed
from benchmarks.tools.tool import READY_S, Watching, until_true

LINK_PORT = 22000
WEB_PORT = 8384
ANSWER_S = 30.0
LOOK_EVERY_S = 0.05
START_APART_S = 1.5
QUIET = {"startBrowser": "false", "urAccepted": "-1", "crashReportingEnabled": "false", "autoUpgradeIntervalH": "0"}
"""Options that change nothing of what is measured."""
TUNED = {
    "listenAddress": f"tcp://0.0.0.0:{LINK_PORT}",
    "globalAnnounceEnabled": "false",
    "localAnnounceEnabled": "false",
    "relaysEnabled": "false",
    "natEnabled": "false",
    "setLowPriority": "false",
    "reconnectionIntervalS": "5",
}
ENVIRONMENT = {"STNOUPGRADE": "1", "STNORESTART": "1", "STNODEFAULTFOLDER": "1"}


class SyncthingDefault(Watching):
    """As it comes: it waits for 10 s without a change before it looks at one."""

    name = "syncthing-default"
    package = "syncthing"
    program = "syncthing"
    own_names = frozenset({".stfolder", ".stversions", ".stignore"})
    watcher_delay_s: ClassVar[float | None] = None
    """How long it waits for further changes; None: as it comes."""
    options: ClassVar[Mapping[str, str]] = QUIET

    def __init__(self, hosts: Sequence[Host], shared: Path) -> None:
        super().__init__(hosts, shared)
        self._keys: dict[str, str] = {}
        """What opens each host's HTTP interface."""
        self._ids: dict[str, str] = {}

    def set_up(self) -> None:
        for host in self.hosts:
            host.run(["syncthing", "generate", f"--home={self._home(host)}"], **ENVIRONMENT)
            configuration = ET.parse(self._home(host) / "config.xml").getroot()
            self._ids[host.name] = configuration.find("device").attrib["id"]  # type: ignore[union-attr]
            self._keys[host.name] = configuration.findtext("gui/apikey", "")
        for host in self.hosts:
            self._configure(host)
        # One after the other: on a long line those that call each other at the same time may end both connections.
        for host in self.hosts:
            self._start(host)
            pause(START_APART_S)
        self.settle(READY_S)

    def launch(self) -> None:
        for host in self.hosts:
            self._start(host)

    def settle(self, within_s: float) -> None:
        wait_until(
            until_true(self._is_in_sync),
            within_s,
            "syncthing did not say that all is in sync",
            every_s=LOOK_EVERY_S,
            check=self.check,
        )

    def _start(self, host: Host) -> None:
        words = ["syncthing", "serve", "--no-browser", "--no-restart", f"--home={self._home(host)}"]
        self.daemons.append(host.start(words, **ENVIRONMENT))

    def _home(self, host: Host) -> Path:
        return host.directory / "home"

    def _configure(self, host: Host) -> None:
        """Let the host know all others and share the one folder with them."""
        path = self._home(host) / "config.xml"
        tree = ET.parse(path)
        root = tree.getroot()
        for old in [*root.findall("folder"), *root.findall("device")]:
            root.remove(old)
        root.append(self._folder_settings(root, host))
        for other in self.hosts:
            device = ET.SubElement(root, "device", id=self._ids[other.name], name=other.name)
            ET.SubElement(device, "address").text = self._address(other)
        for name, value in self.options.items():
            root.find(f"options/{name}").text = value  # type: ignore[union-attr]
        tree.write(path)

    def _folder_settings(self, root: ET.Element, host: Host) -> ET.Element:
        """Those that it gives to new folders, but for the delay."""
        settings = root.find("defaults/folder")
        if settings is None:
            raise ToolFailed("syncthing generated no defaults for folders")
        folder = copy.deepcopy(settings)
        folder.attrib |= {"id": "bench", "label": "bench", "path": str(self.folder(host))}
        if self.watcher_delay_s is not None:
            folder.set("fsWatcherDelayS", f"{self.watcher_delay_s:g}")
        for own in folder.findall("device"):
            folder.remove(own)
        for other in self.hosts:
            ET.SubElement(folder, "device", id=self._ids[other.name])
        return folder

    def _address(self, host: Host) -> str:
        return "dynamic" if self.watcher_delay_s is None else f"tcp://{host.address}:{LINK_PORT}"

    def _is_in_sync(self) -> bool:
        """All connected, nothing to do, and all speak of the same number of files and bytes."""
        shown = [self._ask(host, "db/status?folder=bench") for host in self.hosts]
        calm = all(s["state"] == "idle" and s["needTotalItems"] == 0 and not s.get("watchError") for s in shown)
        agreed = len({(s[key + "Files"], s[key + "Bytes"]) for s in shown for key in ("global", "local")}) == 1
        return calm and agreed and all(map(self._is_connected, self.hosts))

    def _is_connected(self, host: Host) -> bool:
        connections = self._ask(host, "system/connections")["connections"]
        return all(connections[self._ids[o.name]]["connected"] for o in self.hosts if o is not host)

    def _ask(self, host: Host, path: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", WEB_PORT, timeout=ANSWER_S)
        with host.lab.inside(host.name):
            connection.connect()
        try:
            connection.request("GET", f"/rest/{path}", headers={"X-API-Key": self._keys[host.name]})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


class Syncthing(SyncthingDefault):
    """Tuned: it waits for 1 s only, knows the others' addresses, calls again after
    5 s, uses no relays and keeps its priority."""

    name = "syncthing"
    watcher_delay_s = 1.0
    options = QUIET | TUNED


class SyncthingEager(Syncthing):
    """Tuned for saves: it waits for 10 ms only, at the price of sending files that are half written.

    Old versions, like 1.19, take whole seconds only and refuse to start.
    """

    name = "syncthing-eager"
    watcher_delay_s = 0.01
