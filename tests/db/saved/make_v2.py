"""Makes `v2.db.gz`, a small database of schema version 2. Run with version 2 of the schema only."""


def measure(connection) -> None:
    connection.exec_driver_sql("UPDATE run SET latency_ms_1 = 2.5, speedup_1 = 1.25 WHERE state = 'done'")


if __name__ == "__main__":
    # here alone: pytest reads this file for doctests
    from make_v1 import fill, save

    save("v2.db", fill, measure)
