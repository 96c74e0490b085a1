"""The disk: scanning, watching, placing by compare-and-swap, and the bridge to a program's own files; imports only
the pure part.
"""
