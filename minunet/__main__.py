"""`python -m minunet` is `minunet`."""

import sys

from minunet.cli.main import main

sys.exit(main())
