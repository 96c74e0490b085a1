"""What tests of the daemon share with those of meeting hosts."""

from __future__ import annotations

from tests.rendezvous.conftest import certificate

__all__ = ["certificate"]
