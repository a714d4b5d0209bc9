import sys
from pathlib import Path

# The module of the checkout, not one that is installed.
sys.path.insert(0, str(Path(__file__).parents[1]))
