"""How fast it is, measured on two hosts of the project's lab: `python -m benchmarks` as root."""
