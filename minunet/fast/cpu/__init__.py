"""The layers on a CPU: all cores work on a layer at once, each on a part of it."""
