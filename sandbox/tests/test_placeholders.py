"""Placeholders of the library's queries against a real PostgreSQL: a value stays a value, whatever it holds."""
import datetime

import hypothesis
import pytest
from hypothesis import strategies as st

from amigocloud import AmigoCloud
from amigocloud_sandbox import Sandbox

pytestmark = pytest.mark.slow

TEXTS = st.text(st.characters(exclude_categories=['Cs'], exclude_characters='\0'), max_size=40)
INJECTIONS = st.sampled_from(["'; DROP TABLE t; --", "\\'; --", "' OR '1'='1", '$$', '/*', '--', ':x', "E'\\''", '::',
                              '"'])


@pytest.fixture(scope='module')
def project():
    with Sandbox() as sandbox:
        if 'PostGIS' not in sandbox.engine:
            pytest.skip('PostgreSQL with PostGIS is not installed')
        with AmigoCloud(sandbox.token, base_url=sandbox.url, use_websockets=False) as client:
            yield client.project(sandbox.project_id)


@hypothesis.settings(max_examples=100)
@hypothesis.given(st.lists(st.one_of(TEXTS, INJECTIONS), min_size=1, max_size=4).map(''.join))
def test_texts(project, text):
    rows = list(project.sql("SELECT :x AS x, ':x' AS plain, :x = :x AS same -- :x", {'x': text}))
    assert rows == [{'x': text, 'plain': ':x', 'same': True}]


@hypothesis.settings(max_examples=50)
@hypothesis.given(st.integers(-2 ** 63, 2 ** 63 - 1), st.floats(allow_nan=False, allow_infinity=False), st.dates())
def test_numbers_and_dates(project, number, real, day):
    query = 'SELECT (1 - :number::numeric)::text AS n, :real::float8 = :real2::float8 AS r, (:day + 0)::text AS d'
    row, = project.sql(query, {'number': number, 'real': real, 'real2': repr(real), 'day': day})
    assert row == {'n': str(1 - number), 'r': True, 'd': day.isoformat()}


def test_each_kind(project):
    shapely = pytest.importorskip('shapely')
    moment = datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.timezone.utc)
    row, = project.sql(
        'SELECT ST_AsEWKT(:g) AS g, :m + interval \'1 day\' AS m, :n IS NULL AS n, :t AS t, 2 IN :l AS l',
        {'g': shapely.Point(1, 2), 'm': moment, 'n': None, 't': True, 'l': [1, 2]})
    assert row == {'g': 'SRID=4326;POINT(1 2)', 'm': '2024-03-01 12:00:00+00:00', 'n': True, 't': True, 'l': True}


def test_filters(project):
    shapely = pytest.importorskip('shapely')
    dataset = project.create_dataset('filters', [{'name': 'name', 'type': 'string'}, {
        'name': 'Place', 'type': 'geometry', 'geometry_type': 'POINT'}])
    dataset.insert([{'name': name, 'Place': shapely.Point(x, 0)} for name, x in (('c', 1), ('b', 2), ('a', 3))])
    assert [row['name'] for row in dataset.read(bbox=(1.5, -1, 4, 1), order_by=['name'])] == ['a', 'b']
    assert [row['name'] for row in dataset.read(intersects=shapely.box(0, -1, 1.5, 1))] == ['c']
    metres = shapely.set_srid(shapely.box(0, -100000, 160000, 100000), 3857)
    assert [row['name'] for row in dataset.read(intersects=metres)] == ['c']
    assert dataset.count(bbox=(1.5, -1, 4, 1)) == 2 and dataset.count("name = :n", {'n': 'a'}) == 1
    assert list(dataset.read(columns=['name'], where='name < :n', params={'n': 'b'})) == [{'name': 'a'}]
