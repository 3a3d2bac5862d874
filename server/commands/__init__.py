"""Orders to screens and actuators, and the proof that they were carried out."""
