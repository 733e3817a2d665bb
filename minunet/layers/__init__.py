"""One forward/backward pair a file; see the contract in the docstring of `minunet`."""
