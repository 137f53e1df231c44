"""The history of the schema, a file a version; run by `prunestats.db.open_database`."""
