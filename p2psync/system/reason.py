"""Why the system refused something, in its own words."""

from __future__ import annotations

import errno
import os


def reason_of(error: OSError) -> str:
    """Without what asyncio adds: the address, as Python writes it."""
    if error.errno is not None and error.errno in errno.errorcode:
        return os.strerror(error.errno)
    return error.strerror or str(error)
