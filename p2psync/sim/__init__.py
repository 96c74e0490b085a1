"""The deterministic world: many devices in one process under a virtual clock, with faults and checkers; imports only
the pure part.
"""
