"""Schema of a results database: tables, views, comments and migrations; opening a database."""
