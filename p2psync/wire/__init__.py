"""Pure protocol between two devices: the messages, their frames with every limit, the session's states; imports
`errors` and `core`.
"""
