"""`python -m p2psync` is the command `p2psync`."""

from __future__ import annotations

from p2psync.cli.main import main

if __name__ == "__main__":
    main()
