"""The store's private certificate authority: who may open a TLS connection to the broker, and as whom."""
