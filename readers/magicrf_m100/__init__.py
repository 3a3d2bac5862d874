"""MagicRF M100 / QM100 UHF module, sold as YRM100, JRD-100, R200, M5Stack Unit UHF and others."""
