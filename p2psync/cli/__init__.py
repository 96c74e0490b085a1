"""The command line: commands, and how their answers look; talks to the daemon over HTTP and never imports it, so that
it starts fast.
"""
