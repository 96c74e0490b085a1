"""What every long-running process of ours asks of the system and of asyncio."""
