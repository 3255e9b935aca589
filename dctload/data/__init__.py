"""Data sets, the loader, and the order in which samples come."""
