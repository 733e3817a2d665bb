"""Readers: one file for each kind of dataset, and `image_files` for a single file."""
