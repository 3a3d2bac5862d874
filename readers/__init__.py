"""Serial devices: sans-IO codecs and drivers for RFID readers, shelf sensors and card readers."""
