"""Makes `v5.db.gz`, a small database of schema version 5. Run with version 5 of the schema only."""


def name_metric(connection) -> None:
    for text in (
        """UPDATE study SET metric = '{"name": "miou", "direction": "maximize", "unit": "fraction"}'""",
        "UPDATE run SET val_metric = 1 - val_error, test_metric = 1 - test_error WHERE state = 'done'",
        """UPDATE run SET metrics = '{"validation": {"miou": 0.5}, "test": {"miou": 0.4}}' WHERE id = 1""",
        """UPDATE run SET metrics = '{"validation": {"miou": 0.8}}' WHERE state = 'done' AND id > 1""",
        """INSERT INTO weights VALUES (1, 'f', 9, '2026-11-28 00:00:00')""",
        """INSERT INTO latency (subnetwork_id, device, runtime, precision, batch, threads, ms, created_at)
            VALUES (1, 'cpu', 'eager', 'float32', 1, 1, 2.5, '2026-11-28 00:00:00')""",
    ):
        connection.exec_driver_sql(text)


if __name__ == "__main__":
    # here alone: pytest reads this file for doctests
    from make_v1 import fill, save
    from make_v2 import measure
    from make_v3 import look
    from make_v4 import recognise

    save("v5.db", fill, measure, look, recognise, name_metric)
