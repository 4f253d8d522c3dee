"""The database that needs nothing installed: SQLite, with as much of PostGIS as shapely offers."""
