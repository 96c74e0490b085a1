"""The open links to other devices, and how much goes over them."""
