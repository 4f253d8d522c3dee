# -*- coding: utf-8 -*-
import pytest
import six
from conftest import Answer

SQL = '/api/v1/projects/1/sql'
POINT = '0101000020E6100000000000000000F03F0000000000000040'


def serve(wire, rows, types, following=True):
    wire.answers[SQL] = {'columns': [{'name': name, 'type': kind} for name, kind in types], 'data': rows, 'count': 40,
                         'next': wire.url + '/api/v1/next' if following else None}
    wire.answers['/api/v1/next'] = Answer(status=500)


def test_html__first_rows_and_one_request(wire, client):
    serve(wire, [{'a': number} for number in range(1000, 1030)], [('a', 'integer')])
    cursor = client.project(1).sql('SELECT')
    html = cursor._repr_html_()
    assert isinstance(html, six.text_type)
    assert html.startswith(u'<div style="overflow-x: auto"><table>') and html.endswith(u'</table></div>')
    assert html.count(u'<td>') == 10 and u'>1009<' in html and u'>1010<' not in html
    assert u'first 10 of 40 rows' in html
    assert [next(cursor)['a'] for _ in range(15)] == list(range(1000, 1015))
    assert cursor._repr_html_() == html
    assert len(wire.requests) == 1


def test_html__stays_with_the_first_page(wire, client):
    serve(wire, [{'a': 1}], [('a', 'integer')])
    wire.answers['/api/v1/next'] = dict(wire.answers[SQL], data=[{'a': 2}], next=None)
    cursor = client.project(1).sql('SELECT')
    assert len(list(cursor)) == 2
    html = cursor._repr_html_()
    assert u'<td>1</td>' in html and u'<td>2</td>' not in html


def test_html__no_rows(wire, client):
    serve(wire, [], [('a', 'integer'), ('b', 'string')], False)
    html = client.project(1).sql('SELECT')._repr_html_()
    assert u'<th>a</th><th>b</th>' in html and u'<td>' not in html


def test_html__escaped(wire, client):
    serve(wire, [{'<b>': u'<script>alert("é")</script>'}], [('<b>', 'string')])
    html = client.project(1).sql('SELECT')._repr_html_()
    assert u'<script' not in html and u'<b>' not in html
    assert u'&lt;script&gt;alert(&quot;é&quot;)&lt;/script&gt;' in html


def test_html__has_no_token(wire, client):
    wire.answers['/api/v1/p'] = {'results': [{'link': 'http://x/y?token=abc'}], 'next': None}
    assert u'abc' not in client.get_cursor('p?token=abc')._repr_html_()


def test_html__long_text_and_null(wire, client):
    serve(wire, [{'a': 'x' * 100, 'b': None}], [('a', 'string'), ('b', 'string')])
    html = client.project(1).sql('SELECT')._repr_html_()
    assert u'<td>' + u'x' * 60 + u'…</td><td></td>' in html


def test_html__geometry(wire, client):
    pytest.importorskip('shapely')
    serve(wire, [{'g': POINT}, {'g': 'no geometry'}, {'g': None}, {'g': {'a': 1}}], [('g', 'geometry')])
    html = client.project(1).sql('SELECT')._repr_html_()
    assert u'<td>POINT (1 2)</td>' in html and u'<td>no geometry</td>' in html


def test_html__geometry_without_shapely(wire, client, monkeypatch):
    monkeypatch.setitem(__import__('sys').modules, 'shapely', None)
    serve(wire, [{'g': POINT * 5}], [('g', 'geometry')])
    assert u'<td>{}…</td>'.format((POINT * 5)[:60]) in client.project(1).sql('SELECT')._repr_html_()


def test_html__list(wire, client):
    wire.answers['/api/v1/p'] = {'results': [{'id': 1, 'name': u'Bär'}, {'id': 2}], 'next': None, 'count': 2}
    html = client.get_cursor('p')._repr_html_()
    assert u'<td>Bär</td>' in html and u'<td>2</td>' in html
    wire.answers['/api/v1/p'] = {'results': [5], 'next': None}
    assert u'<td>5</td>' in client.get_cursor('p')._repr_html_()
    wire.answers['/api/v1/p'] = {'results': [], 'next': None}
    assert u'<td>' not in client.get_cursor('p')._repr_html_()


@pytest.mark.parametrize('rows, count, more, summary', [
    (10, 3000, True, 'first 10 of 3000 rows'), (3, 3000, True, 'first 3 of 3000 rows'), (0, True, True, 'first 0 rows'),
    (11, None, True, 'first 10 rows'), (11, 5, True, 'first 10 rows'), (11, 12.5, True, 'first 10 rows'),
    (10, None, True, 'first 10 rows'), (12, 12, False, 'first 10 of 12 rows'), (12, None, False, 'first 10 of 12 rows'),
    (10, 10, False, '10 rows'), (2, 'x<b>', False, '2 rows'), (2, 1, True, 'first 2 rows'), (0, 0, False, '0 rows'),
    (0, None, False, '0 rows')])
def test_html__how_many_rows(wire, client, rows, count, more, summary):
    wire.answers['/api/v1/p'] = {'results': [{'a': 1}] * rows, 'count': count,
                                 'next': wire.url + '/x' if more else None}
    assert u'>p: {}</caption>'.format(summary) in client.get_cursor('p')._repr_html_()


def test_html__title(wire, client):
    serve(wire, [], [('a', 'integer')], False)
    html = client.project(1).sql(u"SELECT  a\nFROM b WHERE c < 5 AND d = '/x?token=abc' AND e = 'é'")._repr_html_()
    assert u"SELECT a FROM b WHERE c &lt; 5 AND d = '/x?token=***' AND e = 'é': 0 rows<" in html
    html = client.project(1).sql(u'SELECT ' + u'a' * 1000)._repr_html_()
    assert u'SELECT ' + u'a' * 193 + u'…: 0 rows' in html
    # A saved query is named by the answer alone, a list by its endpoint.
    wire.answers['/api/v1/q'] = {'query': u'SELECT <é>', 'data': [], 'next': None}
    assert u'>SELECT &lt;é&gt;: 0 rows<' in client.get_cursor('q')._repr_html_()
    wire.answers['/api/v1/q'] = {'query': 5, 'data': [], 'next': None}
    assert u'>q: 0 rows<' in client.get_cursor('q', {'query': 5})._repr_html_()
    wire.answers['/api/v1/q'] = Answer(status=400)
    assert u'<p>SELECT &lt;1&gt;</p>' in client.get_cursor('q', {'query': 'SELECT <1>'})._repr_html_()


def test_html__rows_that_are_lists(wire, client):
    serve(wire, [[1, u'<é>', POINT], [2], [], 3, {'b': 4}, [5, 6, 7, 8]],
          [('a', 'integer'), ('b', 'string'), ('c', 'string')], False)
    html = client.project(1).sql('SELECT')._repr_html_()
    assert u'<th>a</th><th>b</th><th>c</th>' in html
    assert u'<td>1</td><td>&lt;é&gt;</td><td>{}</td>'.format(POINT) in html
    assert u'<td>2</td><td></td><td></td>' in html and u'<td>3</td><td></td><td></td>' in html
    assert u'<td></td><td>4</td><td></td>' in html and u'<td>5</td><td>6</td><td>7</td></tr>' in html
    wire.answers['/api/v1/p'] = {'results': [[1, 2], [3, 4, u'é'], [], None, u'x'], 'next': None}
    html = client.get_cursor('p')._repr_html_()
    assert u'<tr><th>0</th><th>1</th><th>2</th><th></th></tr>' in html
    assert u'<td>3</td><td>4</td><td>é</td><td></td>' in html and u'<td></td><td>x</td></tr>' in html
    wire.answers['/api/v1/p'] = lambda request: Answer([[1, 2], {'a': u'b'}])
    assert u'<th>0</th><th>1</th>' in client.get_cursor('p')._repr_html_()
    wire.answers['/api/v1/p'] = 5
    assert u'<td>5</td>' in client.get_cursor('p')._repr_html_()


def test_html__columns_of_all_rows_of_a_list(wire, client):
    wire.answers['/api/v1/p'] = {'results': [{'a': 1}, {'a': 2, 'b': 3}], 'next': None}
    assert u'<th>a</th><th>b</th>' in client.get_cursor('p')._repr_html_()


def test_html__curve(wire, client):
    pytest.importorskip('shapely')
    curve = '01080000000300000000000000000000000000000000000000000000000000F03F000000000000F03F' + '00' * 8 + '40' * 8
    serve(wire, [{'g': curve}, {'g': POINT}], [('g', 'geometry')])
    html = client.project(1).sql('SELECT')._repr_html_()
    assert u'<td>{}…</td>'.format(curve[:60]) in html and u'<td>POINT (1 2)</td>' in html


def test_html__error(wire, client):
    wire.answers[SQL] = [Answer({'detail': '<no> such table'}, status=400), {'data': [{'a': 1}], 'next': None}]
    cursor = client.project(1).sql('SELECT')
    html = cursor._repr_html_()
    assert u'400' in html and u'&lt;no&gt; such table' in html and u'secret' not in html
    assert list(cursor) == [{'a': 1}]
    wire.answers[SQL] = {'columns': 5, 'data': [], 'next': None}
    assert u'columns' in client.project(1).sql('SELECT')._repr_html_()


def test_html__half_a_surrogate_pair_and_control_characters(wire, client):
    wire.answers['/api/v1/p'] = {'data': [{'a': u'\ud800|\x1b[2J|\u202e|\x00'}], 'next': None}
    html = client.get_cursor('p')._repr_html_()
    assert u'|?[2J|?|?<' in html
    html.encode('utf-8')
