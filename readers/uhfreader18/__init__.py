"""UHF readers of the UHFReader18 and UHFReader288 families: Chafon, ZK-RFID, HW-VX and many nameless ones."""
