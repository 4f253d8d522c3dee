"""The embedded engine refuses what it cannot read, and takes long statements; test_queries.py compares its answers."""
import tempfile

import pytest

from amigocloud_sandbox.sql.databases import open_engine
from amigocloud_sandbox.sql.types import SQLError


@pytest.fixture
def sqlite():
    with tempfile.TemporaryDirectory() as folder:
        engine = open_engine(folder, 'sqlite', forget=True)
        database = engine.database(1)
        database.create(1, [{'name': 'seats', 'type': 'integer'}], [])
        yield database
        engine.close()


@pytest.mark.parametrize('query', ['SELECT ' + '(' * 2000 + '1' + ')' * 2000, 'SELECT ' + '1 + ' * 2000 + '1',
                                   'SELECT \ud800', 'SELECT 1\0', 'SELECT $1, :a, ?', 'EXPLAIN SELECT 1', ';;', '"',
                                   '\\'])
def test_gate__refuses_whatever_it_cannot_read(sqlite, query, capfd):
    for run_query in (lambda: sqlite.read(query, 10, 0), lambda: sqlite.write(query)):
        with pytest.raises(SQLError):
            run_query()
    assert sqlite.writes(query) in ([], ['Command'], ['Describe'])
    assert capfd.readouterr() == ('', '')


@pytest.mark.parametrize('query', [
    'SELECT (SELECT max(seats) FROM dataset_1) AS m', 'SELECT * FROM (SELECT seats FROM dataset_1) AS q',
    'SELECT seats FROM dataset_1 WHERE seats IN (SELECT 1)', 'WITH q AS (SELECT 1 AS n) SELECT n FROM q',
    'SELECT 1 UNION SELECT 2', 'SELECT CASE WHEN true THEN 1 END', 'SELECT sum(seats) OVER () FROM dataset_1',
    'SELECT seats + 1 AS n FROM dataset_1 GROUP BY seats + 1', 'SELECT n FROM generate_series(1, 3) AS n',
    'SELECT seats FROM dataset_1 ORDER BY 0', 'INSERT INTO dataset_1 (seats) SELECT DISTINCT seats FROM dataset_1',
    'INSERT INTO dataset_1 (seats) SELECT seats FROM dataset_1 LIMIT 1', 'DELETE FROM dataset_1 RETURNING seats'])
def test_gate__knows_no_subqueries_and_the_like(sqlite, query):
    """PostgreSQL answers all but one of them."""
    sqlite.write('INSERT INTO dataset_1 (seats) VALUES (1), (2)')
    with pytest.raises(SQLError, match='install PostgreSQL with PostGIS|position 0'):
        (sqlite.read if query[0] in 'SW' else lambda query, *_: sqlite.write(query))(query, 10, 0)
    assert sqlite.read('SELECT count(*) FROM dataset_1', 10, 0)['data'] == [{'count': 2}]


def test_gate__many_rows_in_one_statement(sqlite):
    rows = ', '.join("('n{0}', {0})".format(number) for number in range(1200))
    assert sqlite.write('INSERT INTO dataset_1 (amigo_id, seats) VALUES ' + rows)['count'] == 1200
    moved = 'UPDATE dataset_1 AS d SET seats = c.n FROM (VALUES {}) AS c(id, n) WHERE c.id = d.amigo_id'.format(rows)
    assert sqlite.write(moved)['count'] == 1200
