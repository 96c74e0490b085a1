"""`p2psync demo`: the real thing on one machine, told as it happens."""
