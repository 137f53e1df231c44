"""A process that opens a database: `opener.py URL`."""

import sys

from prunestats.db import open_database

if __name__ == "__main__":
    open_database(sys.argv[1]).dispose()
