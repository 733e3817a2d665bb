"""Make all hostile calls, and print how many ended how: python tests/count_hostile_calls.py [NAME]

With a name, such as weight_map, only the calls of functions whose name holds it, and what went wrong in each.
"""

import collections
import sys

from hostile.calls import CALLS
from hostile.judge import VERDICTS, judge


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else ""
    total: collections.Counter = collections.Counter()
    print(f"{'':34}{''.join(f'{word:>9}' for word in VERDICTS)}")
    for call in CALLS:
        if name not in call.name:
            continue
        counts: collections.Counter = collections.Counter()
        for argument, variant in call.variants():
            verdict = judge(call, argument, variant)
            counts[verdict.word] += 1
            if name and verdict.word in ("unnamed", "deep", "wrong"):
                print(f"  {verdict.word:8} {argument} = {variant.label}: {verdict.detail}")
        total += counts
        print(_line(call.name, counts))
    print(_line(f"{sum(total.values()):,} calls", total))
    return 1 if total["deep"] or total["wrong"] or total["unnamed"] else 0


def _line(name: str, counts: collections.Counter) -> str:
    return f"{name:34}{''.join(f'{counts[word]:9,}' for word in VERDICTS)}"


if __name__ == "__main__":
    sys.exit(main())
