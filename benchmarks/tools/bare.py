"""Sends one file over one TCP connection, or receives such files: run as a file, it imports nothing of ours.

bare.py receive DIRECTORY PORT
bare.py send FILE HOST PORT
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

PIECE = 1 << 20


def receive(directory: Path, port: int) -> None:
    """For ever: a name, a line feed, and the bytes that are to be found under this name when the sender is through."""
    buffer = bytearray(PIECE)
    with socket.create_server(("", port)) as server:
        while True:
            connection, _ = server.accept()
            with connection, connection.makefile("rb") as stream:
                name = stream.readline().decode().strip()
                arriving = directory.parent / "arriving"
                with arriving.open("wb", buffering=0) as file:
                    while length := stream.readinto(buffer):
                        file.write(memoryview(buffer)[:length])
                os.rename(arriving, directory / name)


def send(path: Path, host: str, port: int) -> None:
    with socket.create_connection((host, port)) as connection, path.open("rb") as file:
        connection.sendall(f"{path.name}\n".encode())
        connection.sendfile(file)


def main(verb: str, path: str, *where: str) -> None:
    if verb == "receive":
        receive(Path(path), int(where[0]))
    else:
        send(Path(path), where[0], int(where[1]))


if __name__ == "__main__":
    main(*sys.argv[1:])
