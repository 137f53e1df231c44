"""A process that upgrades a database to a version that is made up: `upgrader.py URL MIGRATIONS`."""

import sys
from pathlib import Path

from prunestats.db.schema import upgrade
from prunestats.db.upkeep import maintenance

if __name__ == "__main__":
    upgrade._MIGRATIONS = Path(sys.argv[2])
    upgrade.SCHEMA_VERSION = maintenance.SCHEMA_VERSION = 9999
    print(maintenance.upgrade_database(sys.argv[1]).before)
