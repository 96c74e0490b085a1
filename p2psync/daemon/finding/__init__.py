"""Finding the other devices, wherever they are: on this network, by their addresses, or at a meeting host."""
