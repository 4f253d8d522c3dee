"""What the endpoints ask about a dataset's table. Every function runs on the database of the project."""
from . import sql, states
from .states import table_of

#: A preview of more rows than this looks no different.
_ROWS_OF_PREVIEW = 5000


def create(connection, dataset_id, schema, rows):
    """Make a dataset's table, fill it, and begin to keep its states."""
    with states.change(connection, 'CREATE'):
        sql.create_table(connection, table_of(dataset_id), schema)
        sql.insert_rows(connection, table_of(dataset_id), rows)
        states.track(connection, dataset_id)


def describe(connection, dataset_id):
    """Return what a dataset says of itself: feature_count, geometry_column and boundingbox."""
    column = geometry_column(connection, dataset_id)
    count = connection.execute('SELECT count(*) FROM ' + table_of(dataset_id)).fetchone()[0]
    return {
        'feature_count': count,
        'geometry_column': column,
        'boundingbox': column and sql.extent(connection, table_of(dataset_id), column)}


def schema(connection, dataset_id):
    """Return the columns of a dataset's table."""
    return sql.columns(connection, table_of(dataset_id))


def geometry_column(connection, dataset_id):
    """Return the name of a dataset's first geometry column, or None."""
    return next((column['name'] for column in schema(connection, dataset_id) if column['type'] == 'geometry'), None)


def rows(connection, dataset_id):
    """Return every row of a dataset, as `sql.read` gives them."""
    return sql.read(connection, 'SELECT * FROM ' + table_of(dataset_id))['data']


def geometries(connection, dataset_id):
    """Return the geometries that a preview shows."""
    column = geometry_column(connection, dataset_id)
    if column is None:
        return []
    name = '"{}"'.format(column.replace('"', '""'))
    query = 'SELECT {0} AS geometry FROM {1} WHERE {0} IS NOT NULL'.format(name, table_of(dataset_id))
    return [row['geometry'] for row in sql.read(connection, query, _ROWS_OF_PREVIEW)['data']]
