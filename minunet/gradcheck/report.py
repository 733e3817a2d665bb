"""What a gradient check found, and how it prints."""

from typing import NamedTuple


class Finding(NamedTuple):
    """One verdict; the fields that make no sense for its kind are None."""

    kind: str  # wrong, shape, nonfinite, mutated, nondeterministic, precision, vacuous or kink
    argument: str | None  # its name in the forward's signature, such as weight or params.head.bias
    hint: str
    index: tuple[int, ...] | None = None  # the worst element
    analytic: float | None = None  # what the backward pass says there
    numeric: float | None = None  # what finite differences say there
    count: int | None = None  # how many elements are concerned ...
    total: int | None = None  # ... of how many

    def __str__(self):
        where = f" in {self.argument}" if self.argument else ""
        if self.index is not None:
            where += f"[{', '.join(map(str, self.index))}]"
        values = "" if self.numeric is None else f": analytic {self.analytic:.6g}, numeric {self.numeric:.6g}"
        share = "" if self.count is None else f" ({self.count} of {self.total})"
        return f"{self.kind}{where}{values}{share}. {self.hint}"


class Row(NamedTuple):
    """One argument in the table."""

    argument: str
    shape: tuple[int, ...]
    compared: int  # how many elements, or directions
    error: float  # the worst relative error


class Report(NamedTuple):
    """The outcome of `gradcheck`."""

    findings: list[Finding]
    rows: list[Row]
    mode: str  # "elements" or "directions"
    forward_passes: int

    @property
    def ok(self) -> bool:
        """True if nothing but kinks was found: the gradient is right wherever there is one."""
        return all(finding.kind == "kink" for finding in self.findings)

    def __str__(self):
        verdict = "ok" if self.ok else "FAILED: " + ", ".join(sorted({f.kind for f in self.findings} - {"kink"}))
        lines = [f"gradcheck {verdict}   ({self.forward_passes} forward passes, by {self.mode})"]
        if self.rows:
            width = max(len("argument"), *(len(row.argument) for row in self.rows))
            lines.append(f"  {'argument':<{width}}  {'shape':<20} {'compared':>9}  worst relative error")
            for row in self.rows:
                error = f"{row.error:.1e}" if row.compared else "all zero, or too small to compare"
                lines.append(f"  {row.argument:<{width}}  {row.shape!s:<20} {row.compared:>9}  {error}")
        return "\n".join(lines + [f"  {finding}" for finding in self.findings])
