"""Is a backward pass right, and if not, why? A guide to this room.

Read check.py first: `gradcheck`, and how each of its verdicts is reached. Then follow one check:

pair.py           runs the forward and the backward pass, on copies, and watches what they write into
                  (arguments.py, outputs.py, gradients.py: what may go in and come out; foreign.py: what is refused)
precision.py      does the pair compute in float64 throughout?
slopes.py         one numeric slope, and how far it can be trusted (moves.py: how the arguments are moved)
elements.py       small arguments, number by number (one_element.py: the verdict on one that is not plain)
jointly.py        large arguments, along random directions (directions.py: the verdict on one; smooth.py: a second
                  look at it; locate.py: which element is it?)
hints.py          from how two gradients differ to a likely cause (patterns.py: the patterns, one by one)
report.py         what is returned and printed

Around it:

assertion.py      `assert_gradients`, for tests (../../minunet_pytest.py prints the report of a failed assert)
seed.py           each test draws a dy of its own
adjoint.py        `check_adjoint`: a sharper check of a forward pass that is linear
second_order.py   `check_second_order`: is the backward pass itself differentiated rightly?
adapters/         layers that are objects, PyTorch functions and JAX functions, as pairs
"""
