"""Prediction: an image of any size, tile by tile, and the average over its rotated versions."""
