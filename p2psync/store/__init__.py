"""What a device remembers, in SQLite: the log, heads, base, work left to do, kept versions, settings, and the records
that the daemon shows; imports only the pure part.
"""
