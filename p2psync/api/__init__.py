"""HTTP on loopback for the command line, scripts and the web page; imports only the pure part, the daemon hands it
what it serves.
"""
