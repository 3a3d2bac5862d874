"""METTLER TOLEDO Standard Interface Command Set, spoken by many weighing indicators."""
