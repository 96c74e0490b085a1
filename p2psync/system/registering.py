"""Tells this user's system that p2psync opens tickets' files, and takes back exactly that."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from p2psync.system.filetype import (
    CLASS,
    CLASSES,
    DESKTOP_FILE,
    MIME_FILE,
    Key,
    desktop_entry,
    mime_package,
    parents,
    program,
    registry_keys,
    windowless,
    with_default,
    without_default,
)

UPDATE_S = 60.0
"""How long the system's own programs may take over their indexes."""
ASSOCIATIONS_CHANGED = 0x08000000
"""What Windows' shell is told so that it looks again."""


class Registry(Protocol):
    """The part of Windows' registry that belongs to this user."""

    def read(self, path: str, name: str) -> str | None: ...

    def write(self, path: str, name: str, text: str) -> None: ...

    def remove(self, path: str, name: str) -> None: ...

    def prune(self, path: str) -> None:
        """Remove a key in which nothing is."""


def is_known(platform: str) -> bool:
    """Whether there is a rule for this system."""
    return platform != "darwin"


def associate(home: Path, description: str) -> tuple[str, ...]:
    """Returns the programs that were missing, without which not every file manager notices. Raises OSError."""
    words = program(windowless(sys.platform, sys.executable), str(home))
    if sys.platform == "win32":
        put_keys(WindowsRegistry(), words, description)
        return _tell_shell()
    return Desktop(os.environ).put(words, description)


def dissociate(home: Path, description: str) -> tuple[str, ...]:
    """The same back. Raises OSError."""
    if sys.platform == "win32":
        words = program(windowless(sys.platform, sys.executable), str(home))
        take_keys(WindowsRegistry(), words, description)
        return _tell_shell()
    return Desktop(os.environ).take()


# -- Linux ---------------------------------------------------------------------------------------------


class Desktop:
    """Where programs and types of files are made known to the file managers of one user."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        user = Path(environment.get("HOME") or Path.home())
        data = Path(environment.get("XDG_DATA_HOME") or user / ".local" / "share")
        config = Path(environment.get("XDG_CONFIG_HOME") or user / ".config")
        self.entry = data / "applications" / DESKTOP_FILE
        self.package = data / "mime" / "packages" / MIME_FILE
        self.defaults = config / "mimeapps.list"

    def put(self, words: tuple[str, ...], description: str) -> tuple[str, ...]:
        for path, text in ((self.entry, desktop_entry(words, description)), (self.package, mime_package(description))):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
        self._set_defaults(with_default(self._defaults()))
        return self._update()

    def take(self) -> tuple[str, ...]:
        if not self.package.exists() and not self.entry.exists():
            return ()
        for path in (self.entry, self.package):
            path.unlink(missing_ok=True)
        self._set_defaults(without_default(self._defaults()))
        return self._update()

    def _defaults(self) -> str:
        try:
            return self.defaults.read_text("utf-8", "surrogateescape")
        except FileNotFoundError:
            return ""

    def _set_defaults(self, text: str) -> None:
        """Whole or not at all: other programs' defaults stand there too."""
        if not text:
            self.defaults.unlink(missing_ok=True)
            return
        if text == self._defaults():
            return
        self.defaults.parent.mkdir(parents=True, exist_ok=True)
        target = self.defaults.resolve()
        fresh = target.with_name(target.name + ".p2psync")
        fresh.write_text(text, "utf-8", "surrogateescape")
        fresh.replace(target)

    def _update(self) -> tuple[str, ...]:
        """Renew the indexes that file managers read; returns the programs for that which are not there."""
        updates = {
            "update-mime-database": self.package.parents[1],
            "update-desktop-database": self.entry.parent,
        }
        missing = tuple(name for name in updates if shutil.which(name) is None)
        for name, folder in updates.items():
            if name not in missing and folder.is_dir():
                with contextlib.suppress(subprocess.TimeoutExpired):
                    subprocess.run([name, str(folder)], capture_output=True, check=False, timeout=UPDATE_S)
        return missing


# -- Windows -------------------------------------------------------------------------------------------


def put_keys(registry: Registry, words: tuple[str, ...], description: str) -> None:
    for key in registry_keys(words, description):
        registry.write(key.path, key.name, key.text)


def take_keys(registry: Registry, words: tuple[str, ...], description: str) -> None:
    """What another program has put in the place of ours meanwhile stays."""
    keys = registry_keys(words, description)
    for key in keys:
        if registry.read(key.path, key.name) is not None and _is_own(registry, key):
            registry.remove(key.path, key.name)
    for path in parents(keys):
        registry.prune(path)


def _is_own(registry: Registry, key: Key) -> bool:
    """Within our own class everything is ours, also in another language or for another home."""
    return key.path.startswith(rf"{CLASSES}\{CLASS}") or registry.read(key.path, key.name) == key.text


def _tell_shell() -> tuple[str, ...]:
    """Explorer looks again at once; otherwise when its user logs in next."""
    import ctypes

    shell = getattr(ctypes, "windll").shell32  # noqa: B009
    shell.SHChangeNotify(ASSOCIATIONS_CHANGED, 0, None, None)
    return ()


class WindowsRegistry:
    """By the module that Python has on Windows alone."""

    def __init__(self) -> None:
        self._winreg: Any = import_module("winreg")

    def read(self, path: str, name: str) -> str | None:
        with contextlib.suppress(FileNotFoundError), self._open(path, self._winreg.KEY_READ) as key:
            return str(self._winreg.QueryValueEx(key, name)[0])
        return None

    def write(self, path: str, name: str, text: str) -> None:
        with self._winreg.CreateKeyEx(self._winreg.HKEY_CURRENT_USER, path, 0, self._winreg.KEY_WRITE) as key:
            self._winreg.SetValueEx(key, name, 0, self._winreg.REG_SZ, text)

    def remove(self, path: str, name: str) -> None:
        with contextlib.suppress(FileNotFoundError), self._open(path, self._winreg.KEY_WRITE) as key:
            self._winreg.DeleteValue(key, name)

    def prune(self, path: str) -> None:
        try:
            with self._open(path, self._winreg.KEY_READ) as key:
                keys, values, _changed = self._winreg.QueryInfoKey(key)
        except FileNotFoundError:
            return
        if not keys and not values:
            self._winreg.DeleteKey(self._winreg.HKEY_CURRENT_USER, path)

    def _open(self, path: str, access: int) -> Any:
        return self._winreg.OpenKey(self._winreg.HKEY_CURRENT_USER, path, 0, access)
