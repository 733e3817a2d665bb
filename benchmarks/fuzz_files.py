"""Damage files in thousands of ways; print what minunet makes of them, and every mutant that it did not take well.

    OPENBLAS_NUM_THREADS=1 python benchmarks/fuzz_files.py
    OPENBLAS_NUM_THREADS=1 python benchmarks/fuzz_files.py --seed 1 --kinds checkpoint --show refused

Each mutant is made of the seed, its kind and its number alone. It is read in a process that may take a gigabyte on top
of what it has, and five seconds of the processor. `tests/fuzz/` says how mutants are made and judged; a few of them are
in `tests/test_fuzz_files.py`.
"""

import argparse
import collections
import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from fuzz.kinds import COUNTS, MAKERS
from fuzz.watch import OUTCOMES, Outcome, limit_memory, outcome_of

PATIENCE = 60  # seconds, then a worker without an answer is ended: the clock rings between lines of Python only


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=COUNTS, default=list(COUNTS))
    parser.add_argument("--share", type=float, default=1.0, help="of the mutants of each kind; default 1")
    parser.add_argument("--first", type=int, default=0, help="number of the first mutant")
    parser.add_argument("--show", nargs="+", choices=OUTCOMES, default=OUTCOMES[2:], help="print these one by one")
    options = parser.parse_args()
    print(f"seed {options.seed}, {os.cpu_count()} cores, Python {sys.version.split()[0]}, NumPy {np.__version__}\n")
    print(f"| | mutants | {' | '.join(OUTCOMES)} | ms each |\n|---{'|---' * (len(OUTCOMES) + 2)}|", flush=True)
    totals, shown = collections.Counter(), []
    for kind in options.kinds:
        numbers = range(options.first, options.first + max(1, round(options.share * COUNTS[kind])))
        began = time.perf_counter()
        outcomes = list(run_all(kind, options.seed, numbers))
        each = 1000 * (time.perf_counter() - began) / len(numbers)
        counts = collections.Counter(outcome.what for outcome in outcomes)
        totals.update(counts)
        print(
            f"| {kind} | {len(numbers):,} | {' | '.join(f'{counts[what]:,}' for what in OUTCOMES)} | {each:.0f} |",
            flush=True,
        )
        shown += [(kind, number, *outcome) for number, outcome in zip(numbers, outcomes, strict=True)]
    print(f"| all | {totals.total():,} | {' | '.join(f'{totals[what]:,}' for what in OUTCOMES)} | |")
    for kind, number, what, why in shown:
        if what in options.show:
            print(f"{kind} {number}: {what}: {why}")


def run_all(kind: str, seed: int, numbers: range):
    """Yield the outcome of each mutant; a worker that crashes or hangs is replaced by another."""
    context = multiprocessing.get_context("spawn")
    worker = None
    for number in tqdm(numbers, unit="mutant", disable=None, leave=False, desc=kind):
        if worker is None:
            ours, theirs = context.Pipe()
            worker = context.Process(target=work, args=(kind, seed, theirs), daemon=True)
            worker.start()
            theirs.close()
            ours.recv()  # it is ready
        ours.send(number)
        try:
            outcome = ours.recv() if ours.poll(PATIENCE) else Outcome("hang", f"no answer for {PATIENCE} s")
            alive = outcome.what != "hang"
        except EOFError:
            worker.join()
            outcome, alive = Outcome("traceback", f"the process died, exit code {worker.exitcode}"), False
        yield outcome
        if not alive:
            worker.kill()
            worker = None
    if worker is not None:
        ours.send(None)
        worker.join()


def work(kind: str, seed: int, pipe) -> None:
    """Answer each number with the outcome of the mutant of that number."""
    with tempfile.TemporaryDirectory() as folder:
        mutant_of = getattr(MAKERS[kind](Path(folder)), kind)
        pipe.send("ready")
        limit_memory()
        while (number := pipe.recv()) is not None:
            rng = np.random.default_rng([seed, list(COUNTS).index(kind), number])
            pipe.send(outcome_of(mutant_of(rng)))


if __name__ == "__main__":
    main()
