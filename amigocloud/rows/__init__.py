"""The rows of datasets: reading, tables, writing, geocoding."""
