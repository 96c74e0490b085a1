"""Meeting across the Internet: a host that passes sealed letters and ciphertext on, and its clients in the daemon."""
