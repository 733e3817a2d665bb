"""Trained networks that come with minunet; each has a card, a .md file of its name, that says how it was trained."""

from pathlib import Path

CELLS = Path(__file__).with_name("cells.npz")  # for `load_checkpoint`; see cells.md
