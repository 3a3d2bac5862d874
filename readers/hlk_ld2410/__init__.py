"""HLK-LD2410, LD2410B and LD2410C: 24 GHz radar that senses people, moving or still."""
