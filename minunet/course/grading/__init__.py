"""Grading: each notebook that was handed in, run in a process of its own."""
