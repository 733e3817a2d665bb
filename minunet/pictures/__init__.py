"""The pictures that a run leaves behind."""
