"""Pure state machines: a `Device` takes events and returns effects; imports `errors`, `core`, `wire`, `pair` and
`books`.
"""
