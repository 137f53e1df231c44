"""Makes `v4.db.gz`, a small database of schema version 4. Run with version 4 of the schema only."""


def recognise(connection) -> None:
    connection.exec_driver_sql("""UPDATE original SET fingerprint = '{"precision": "float64"}'""")


if __name__ == "__main__":
    # here alone: pytest reads this file for doctests
    from make_v1 import fill, save
    from make_v2 import measure
    from make_v3 import look

    save("v4.db", fill, measure, look, recognise)
