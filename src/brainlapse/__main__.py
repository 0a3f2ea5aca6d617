"""`python -m brainlapse STAGE …`"""

import sys

from brainlapse.cli import main

sys.exit(main())
