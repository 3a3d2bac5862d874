"""RDM6300 and its kin: 125 kHz readers of EM4100 cards."""
