"""Connections through NATs by WebRTC data channels: `way.WebRtc` makes them, for the members' own TLS to run in.

aiortc brings 100 MB of media libraries along. Only `peer` and `internals` import it, and they are imported when the
first connection is wanted.
"""
