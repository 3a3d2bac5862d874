"""The ACME coil, a card reader that no other maker would build."""
