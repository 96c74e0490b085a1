"""What a device remembers, in SQLite: the log, heads, base, settings, where chunks lie, kept versions; imports only
the pure part.
"""
