"""Pure pairing: the ticket, and the two machines (inviter, joiner) that turn it into a membership; imports `errors`
and `core`.
"""
