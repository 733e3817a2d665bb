"""`python -m minunet` is `minunet`."""

import sys

from minunet.cli import main

sys.exit(main())
