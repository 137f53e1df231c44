"""Makes `v3.db.gz`, a small database of schema version 3. Run with version 3 of the schema only."""


def look(connection) -> None:
    connection.exec_driver_sql(
        "UPDATE run SET pruned_val_error = 0.75, recalibrated_val_error = 0.5 WHERE state = 'done'"
    )


if __name__ == "__main__":
    # here alone: pytest reads this file for doctests
    from make_v1 import fill, save
    from make_v2 import measure

    save("v3.db", fill, measure, look)
