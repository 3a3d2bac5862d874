"""Who is where, by tokens that nobody outside can link."""
