"""Impinj Indy R2000 class UHF readers with the 0xA0 protocol: Invelion, Yanpodo, Vikitek, IND903, YR903 and YR904."""
