"""Bytes of files on their way between devices: who may have them, who asks, who gives."""
