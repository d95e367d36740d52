"""How much a run takes upon itself: with CI=true or HEAVY=true everything, else what a person has the time for."""

import os
from typing import Final

IS_THOROUGH: Final = "true" in {os.environ.get("CI", "").lower(), os.environ.get("HEAVY", "").lower()}
