"""Becoming a member: both sides of tickets and spoken codes, and the way back in with a recovery file."""
