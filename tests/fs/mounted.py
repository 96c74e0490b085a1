"""Real disks for tests: small ones that fill up, that are pulled out, and those of other systems. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

FAT_MIB = 40
FATS = ("vfat", "exfat", "fusefat")
"""FAT and exFAT by the kernel or by a program, and FAT by a program that takes ASCII names alone."""


def run(*words: object) -> str:
    return subprocess.run([*map(str, words)], check=True, capture_output=True, text=True).stdout.strip()


class Mount:
    """A disk that a test may pull out and plug in again."""

    def __init__(self, folder: Path, mount: Callable[[], object]) -> None:
        self.folder = folder
        self._mount = mount
        folder.mkdir(parents=True, exist_ok=True)
        self.plug_in()

    def plug_in(self) -> None:
        self._mount()

    def pull_out(self, *, by_force: bool = False) -> None:
        """`by_force`: while somebody still looks into it, as when a drive is unplugged."""
        run("umount", *(["-l"] if by_force else []), self.folder)

    def remount(self, options: str) -> None:
        run("mount", "-o", f"remount,{options}", self.folder)


@contextmanager
def small_disk(folder: Path, size: str = "64m") -> Iterator[Mount]:
    """A disk of its own; pulled out, it loses everything."""
    _need_root()
    disk = Mount(folder, lambda: run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder))
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


@contextmanager
def fat(kind: str, folder: Path, image: Path) -> Iterator[Mount]:
    """A stick as cameras and Windows use it; skips the test where this system cannot."""
    _need_root()
    _need_program("mkfs.exfat" if kind == "exfat" else "mkfs.vfat")
    with image.open("wb") as file:
        file.truncate(FAT_MIB << 20)
    run("mkfs.exfat" if kind == "exfat" else "mkfs.vfat", image)
    with ExitStack() as stack:
        disk = Mount(folder, _mounting(kind, folder, image, stack))
        stack.callback(subprocess.run, ["umount", "-l", str(folder)], check=False, capture_output=True)
        yield disk


def _mounting(kind: str, folder: Path, image: Path, stack: ExitStack) -> Callable[[], object]:
    if kind == "fusefat":
        _need_program("fusefat")
        return lambda: run("fusefat", "-o", "rw+", image, folder)
    by_kernel = f"\t{kind}\n" in Path("/proc/filesystems").read_text()
    if not by_kernel and (kind == "vfat" or shutil.which("mount.exfat-fuse") is None):
        pytest.skip(f"neither the kernel nor a program of this system mounts {kind}")
    loop = run("losetup", "-f", "--show", image)
    stack.callback(subprocess.run, ["losetup", "-d", loop], check=False, capture_output=True)
    return lambda: run(*(["mount", "-t", kind] if by_kernel else ["mount.exfat-fuse"]), loop, folder)


def _need_root() -> None:
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root may mount a disk")


def _need_program(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")
