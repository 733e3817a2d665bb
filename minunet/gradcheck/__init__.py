"""The parts of `minunet.gradcheck`: running a pair, numeric derivatives, hints, the report."""
