"""Synthetic touching cells, seen through a synthetic microscope."""
