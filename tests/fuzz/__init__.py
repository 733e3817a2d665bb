"""Files that somebody damaged or made up: mutants of checkpoints, configurations, logs, images and notebooks.

Each mutant must be read right, or refused in one line. `python benchmarks/fuzz_files.py` makes ten thousand of them.
"""
