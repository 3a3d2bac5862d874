"""ThingMagic / JADAK Mercury UHF modules: M5e, M6e, M6e Nano, M7e, and the boards of Silion that speak the same."""
