"""PostgreSQL with PostGIS: a server that the user names, or a private one in the data folder."""
