"""The network: this device's key, links over TLS, discovery by mDNS, and the dialer that picks the next way to try;
imports only the pure part.
"""
