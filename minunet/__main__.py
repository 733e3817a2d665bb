"""`python -m minunet` is `minunet`."""

import sys

from minunet_command import main

sys.exit(main())
