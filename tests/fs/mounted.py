"""Real disks for tests: small ones that fill up, that are pulled out, and those of other systems. Needs root."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
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

    @contextmanager
    def read_only(self) -> Iterator[None]:
        """As a disk with errors becomes, whoever has files open there."""
        run("mount", "--bind", self.folder, self.folder)
        run("mount", "-o", "remount,bind,ro", self.folder)
        try:
            yield
        finally:
            self.pull_out(by_force=True)


@contextmanager
def small_disk(folder: Path, size: str = "64m") -> Iterator[Mount]:
    """A disk of its own, in memory."""
    _need_root()
    yield from _mounted(folder, lambda: run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder))


@contextmanager
def drive(folder: Path, store: Path) -> Iterator[Mount]:
    """A disk that holds what the directory `store` holds, also while it is pulled out."""
    _need_root()
    store.mkdir()
    yield from _mounted(folder, lambda: run("mount", "--bind", store, folder))


def _mounted(folder: Path, mount: Callable[[], object]) -> Iterator[Mount]:
    disk = Mount(folder, mount)
    try:
        yield disk
    finally:
        with suppress(subprocess.CalledProcessError):  # until nothing is mounted there any more
            while True:
                disk.pull_out(by_force=True)


@contextmanager
def filled(disk: Path) -> Iterator[None]:
    """While there is no byte left on the disk that holds this directory."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 1 << 12):
            with suppress(OSError):
                while True:
                    file.write(bytes(size))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def fat(kind: str, folder: Path, image: Path) -> Iterator[Mount]:
    """A stick as cameras and Windows use it; skips the test where this system cannot."""
    _need_root()
    _need_program("mkfs.exfat" if kind == "exfat" else "mkfs.vfat")
    with image.open("wb") as file:
        file.truncate(FAT_MIB << 20)
    run("mkfs.exfat" if kind == "exfat" else "mkfs.vfat", image)
    with ExitStack() as stack:
        yield from _mounted(folder, _mounting(kind, folder, image, stack))


def _mounting(kind: str, folder: Path, image: Path, stack: ExitStack) -> Callable[[], object]:
    if kind == "fusefat":
        _need_program("fusefat")
        _need_device("/dev/fuse")
        return lambda: run("fusefat", "-o", "rw+", image, folder)
    by_kernel = f"\t{kind}\n" in Path("/proc/filesystems").read_text()
    if not by_kernel and (kind == "vfat" or shutil.which("mount.exfat-fuse") is None):
        pytest.skip(f"neither the kernel nor a program of this system mounts {kind}")
    if not by_kernel:
        _need_device("/dev/fuse")
    need_loop_device()
    loop = run("losetup", "-f", "--show", image)
    stack.callback(subprocess.run, ["losetup", "-d", loop], check=False, capture_output=True)
    return lambda: run(*(["mount", "-t", kind] if by_kernel else ["mount.exfat-fuse"]), loop, folder)


def need_loop_device() -> None:
    """Skips the test where no file can be mounted: without root, and in many a container."""
    _need_root()
    try:
        run("losetup", "-f")
    except subprocess.CalledProcessError as error:
        pytest.skip(f"this system lends no loop device: {error.stderr.strip()}")


def _need_root() -> None:
    if os.name == "nt" or os.geteuid() != 0:
        pytest.skip("only root may mount a disk")


def _need_program(name: str) -> None:
    if shutil.which(name) is None:
        pytest.skip(f"{name} is not installed")


def _need_device(name: str) -> None:
    """Containers often have none, or do not let it be opened."""
    try:
        os.close(os.open(name, os.O_RDWR))
    except OSError as error:
        pytest.skip(f"{name} cannot be opened: {error.strerror}")
