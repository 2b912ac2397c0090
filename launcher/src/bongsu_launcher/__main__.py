"""`python -m bongsu_launcher`: the `bongsu` command."""

import sys

from bongsu_launcher.cli import main

sys.exit(main())
