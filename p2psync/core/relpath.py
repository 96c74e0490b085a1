"""Paths inside a mandate's folder: parsed once at the edge, safe and canonical from then on."""

from __future__ import annotations

from typing import NewType

RelPath = NewType("RelPath", str)
