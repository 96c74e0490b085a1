"""The composition root: the only part that may import every shell (but never `cli`), wires them to a `Device` and
runs it.
"""
