"""One model of who may do what in a PostgreSQL database, whatever the door it came through."""
