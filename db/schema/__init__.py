"""Tables, views, their comments and migrations: what a results database is, and opening one."""
