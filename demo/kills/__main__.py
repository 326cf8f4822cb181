"""`python -m demo.kills`: see `demo.kills.main`."""

import sys

from demo.kills.main import main

sys.exit(main())
