"""Entry of the built-in Python worker; redgrid starts it with its end of a socketpair."""

import os
import sys

# The folder of this script goes off the path again: an app may have a worker.py too.
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from redgrid_worker import worker

folder = os.path.dirname(os.path.abspath(__file__))
sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != folder]
if __name__ == "__main__":
    worker.main()
