"""A process that writes runs: `writer.py URL FIRST_SEED SEEDS [ACKNOWLEDGEMENTS]`."""

import sys
from pathlib import Path

from prunestats.db import EpochMetric, Outcome, open_database, store_outcome, store_study, write

LOG = (EpochMetric(0, None, 0.9, 3.0), EpochMetric(1, 1.0, 0.2, 0.5), EpochMetric(2, 0.5, 0.1, 0.3))


def main(url: str, first: int, seeds: int, acknowledged: str | None = None) -> None:
    engine = open_database(url)
    lock = " FOR UPDATE" if engine.dialect.name == "postgresql" else ""
    for seed in range(first, first + seeds):
        with write(engine) as connection:
            # a value that is read and then written: lost updates would show in it
            total = connection.exec_driver_sql(f"SELECT attempts FROM population WHERE id = 1{lock}").scalar_one()
            connection.exec_driver_sql(f"UPDATE population SET attempts = {total + 1} WHERE id = 1")
            store_study(connection, name="shared", text="", fingerprint="f", seed=0)
            store_outcome(
                connection,
                subnetwork_id=1,
                protocol_id=1,
                seed=seed,
                environment_id=None,
                outcome=Outcome("done", 0.1, 0.1, 0.3, 0.3, 0.5, 2, 1.0, None, LOG),
            )
        if acknowledged is not None:
            with Path(acknowledged).open("a") as file:
                file.write(f"{seed}\n")
    engine.dispose()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
