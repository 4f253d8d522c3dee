# -*- coding: utf-8 -*-
"""Placeholders and literals: what stands in the query, and what PostgreSQL reads in it."""
from __future__ import unicode_literals

import datetime
import decimal
import uuid

import pytest

from amigocloud.exceptions import AmigoCloudValueError
from amigocloud.rows.literals import bind, identifier, literal


class Plus2(datetime.tzinfo):
    def utcoffset(self, moment):
        return datetime.timedelta(hours=2)

    def dst(self, moment):
        return None


@pytest.mark.parametrize('value, text', [
    (None, 'NULL'), (True, 'TRUE'), (False, 'FALSE'), (7, '7'), (-7, '(-7)'), (0.5, '0.5'), (-0.0, '(-0.0)'),
    (decimal.Decimal('1.25'), '1.25'), (decimal.Decimal('-0.12345678901234567890'), '(-0.12345678901234567890)'),
    (decimal.Decimal('1E+3'), '1E+3'), ('', "''"), ("O'Hara", "'O''Hara'"), ('Straße', "'Straße'"),
    ('C:\\x', " E'C:\\\\x'"), ("\\'; DROP TABLE t; --", " E'\\\\''; DROP TABLE t; --'"),
    (datetime.date(2024, 2, 29), "'2024-02-29'::date"), (datetime.time(1, 2), "'01:02:00'::time"),
    (datetime.datetime(2024, 2, 29, 1, 2), "'2024-02-29T01:02:00'::timestamp"),
    (datetime.datetime(2024, 2, 29, 1, 2, tzinfo=Plus2()), "'2024-02-29T01:02:00+02:00'::timestamptz"),
    (uuid.UUID(int=1), "'00000000-0000-0000-0000-000000000001'"),
    (datetime.time(1, 2, tzinfo=Plus2()), "'01:02:00+02:00'::timetz"),
    ([1, 'a', None], "(1, 'a', NULL)"), ((2,), '(2)')])
def test_literal(value, text):
    assert literal(value) == text


def test_literal__geometry():
    shapely = pytest.importorskip('shapely')
    assert literal(shapely.Point(1, 2)) == "'0101000020E6100000000000000000F03F0000000000000040'::geometry"


@pytest.mark.parametrize('make, text', [
    (lambda numpy, pandas: numpy.array([1, 2]), '(1, 2)'),
    (lambda numpy, pandas: pandas.Series(['a', 'b']), "('a', 'b')"),
    (lambda numpy, pandas: pandas.Index([1, 2]), '(1, 2)'), (lambda numpy, pandas: pandas.array([1, 2]), '(1, 2)'),
    (lambda numpy, pandas: [numpy.float32(0.5)], '(0.5)'),
    (lambda numpy, pandas: numpy.datetime64('2024-02-29T01:02'), "'2024-02-29T01:02:00'::timestamp"),
    (lambda numpy, pandas: numpy.datetime64('2024-02-29'), "'2024-02-29'::date"),
    (lambda numpy, pandas: pandas.Timestamp('2024-02-29', tz='UTC'), "'2024-02-29T00:00:00+00:00'::timestamptz")])
def test_literal__numpy_and_pandas(make, text):
    numpy = pytest.importorskip('numpy')
    assert literal(make(numpy, pytest.importorskip('pandas'))) == text


@pytest.mark.parametrize('make, message', [
    (lambda numpy, pandas: pandas.NaT, 'NaT, .* use None for null'),
    (lambda numpy, pandas: pandas.NA, 'use None for null'),
    (lambda numpy, pandas: numpy.datetime64('NaT', 'us'), 'NaT.* use None for null'),
    (lambda numpy, pandas: pandas.Series([1, None]), 'nan'), (lambda numpy, pandas: numpy.array([]), 'empty list'),
    (lambda numpy, pandas: pandas.DataFrame({'a': [1]}), 'DataFrame'),
    (lambda numpy, pandas: numpy.array([[1]]), 'ndarray')])
def test_literal__bad_numpy_and_pandas(make, message):
    numpy = pytest.importorskip('numpy')
    with pytest.raises(AmigoCloudValueError, match=message):
        literal(make(numpy, pytest.importorskip('pandas')))


@pytest.mark.parametrize('value, message', [
    (float('nan'), 'nan'), (float('inf'), 'inf'), ('a\0', 'null character'), (object(), 'type'), ({'a': 1}, 'type'),
    ([], 'empty list'), ([1, []], 'empty list'), (2 ** 63, '64 bits')])
def test_literal__bad(value, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        literal(value)


@pytest.mark.parametrize('query, bound', [
    ('SELECT :a', "SELECT 1"), ('SELECT :a, :b', "SELECT 1, 'x'"),
    ("SELECT ':a', :a", "SELECT ':a', 1"), ("SELECT 'it''s :a', :a", "SELECT 'it''s :a', 1"),
    ('SELECT ":a" , :a', 'SELECT ":a" , 1'), ("SELECT E'\\':a', :a", "SELECT E'\\':a', 1"),
    ("SELECT ''::text, :a", "SELECT ''::text, 1"), ("SELECT :b::text, :a", "SELECT 'x'::text, 1"),
    ('SELECT $$:a$$, :a', 'SELECT $$:a$$, 1'), ('SELECT $q$ $$:a$$ $q$, :a', 'SELECT $q$ $$:a$$ $q$, 1'),
    ('SELECT :a -- :b', 'SELECT 1 -- :b'), ('SELECT /* :b /* :b */ :b */ :a', 'SELECT /* :b /* :b */ :b */ 1'),
    ('SELECT a[1:2], :a', 'SELECT a[1:2], 1'), ('SELECT name$1$x$, :a', 'SELECT name$1$x$, 1'),
    ("SELECT '2024-01-01T12:00:00', :a", "SELECT '2024-01-01T12:00:00', 1"), ('SELECT (:a)::int', 'SELECT (1)::int'),
    ("SELECT :a, 'never closed :b", "SELECT 1, 'never closed :b")])
def test_bind(query, bound):
    params = {name: value for name, value in (('a', 1), ('b', 'x')) if ':' + name in query and (
        name == 'a' or "'x'" in bound)}
    assert bind(query, params) == bound


@pytest.mark.parametrize('query, params, message', [
    ('SELECT :a', {}, '^params has no value for :a'), ('SELECT 1', {'a': 1}, '^The query has no placeholder for :a'),
    ('SELECT :a', ['a'], '^params must be a dict'), ('SELECT :a', {1: 2}, 'name of a placeholder'),
    ('SELECT :a', {'a b': 2}, 'name of a placeholder'), ('SELECT :a', {'a': float('nan')}, r"^params\['a'\]: ")])
def test_bind__bad(query, params, message):
    with pytest.raises(AmigoCloudValueError, match=message):
        bind(query, params)


def test_identifier():
    assert [identifier(name) for name in ('height', 'Tree height', 'a"b')] == ['"height"', '"Tree height"', '"a""b"']
