# -*- coding: utf-8 -*-
import os
import re

import pytest
import six
from hypothesis import given
from hypothesis import strategies as st

from amigocloud.files.filenames import LONGEST_NAME, NAMELESS, file_name, safe_name

URL = 'https://app.amigocloud.com/exports/fallback.csv?token=secret#x'


@pytest.mark.parametrize('header, name', [
    ('attachment; filename=trees.csv', u'trees.csv'),
    ('attachment; filename="street trees.csv"', u'street trees.csv'),
    ('ATTACHMENT;FileName = "trees.csv" ; size=3', u'trees.csv'),
    ('attachment; filename="a \\"b\\".csv"', u'a _b_.csv'),
    ('attachment; filename="\\"b\\""', u'b'),
    ('attachment; note="x; filename=evil.csv"; filename=good.csv', u'good.csv'),
    ('filename=trees.csv', u'trees.csv'),
    ("attachment; filename=\"plain.csv\"; filename*=UTF-8''%E2%82%AC%20rates.csv", u'€ rates.csv'),
    ("attachment; filename*=utf-8'en'B%C3%A4ume.csv; filename=plain.csv", u'Bäume.csv'),
    ("attachment; filename*=ISO-8859-1''B%E4ume.csv", u'Bäume.csv'),
    ("attachment; filename*=\"UTF-8''quoted.csv\"", u'quoted.csv'),
    ("attachment; filename*=UTF-8''%2e%2e%2fup.csv", u'up.csv'),
    ("attachment; filename*=zip''trees.csv; filename=plain.csv", u'plain.csv'),
    ("attachment; filename*=UTF-8''%FFx.csv", u'\ufffdx.csv'),
    ("attachment; filename*=UTF-8''; filename=plain.csv", u'plain.csv'),
    ('attachment; filename="C:\\exports\\new trees.csv"', u'new trees.csv'),
    ('attachment; filename="C:\\\\exports\\\\trees.csv"', u'trees.csv'),
    ('inline', u'fallback.csv'), ('attachment; filename=""', u'fallback.csv'),
    ('', u'fallback.csv'), (None, u'fallback.csv'), ('attachment; filename', u'fallback.csv'),
    ('attachment; filename="unfinished.csv', u'unfinished.csv')])
def test_file_name__header(header, name):
    assert file_name(header, URL) == name


@pytest.mark.parametrize('raw, name', [
    (b'B\xc3\xa4ume.csv', u'Bäume.csv'), (b'B\xe4ume.csv', u'Bäume.csv')])
def test_file_name__header_beyond_ascii(raw, name):
    # Python 3 decodes every header as Latin-1, and Python 2 leaves it as bytes.
    header = b'attachment; filename=' + raw
    assert file_name(header if six.PY2 else header.decode('latin-1'), URL) == name


@pytest.mark.parametrize('url, name', [
    ('https://host/a/trees.csv', u'trees.csv'), ('https://host/a/trees.csv/', u'trees.csv'),
    ('https://host/a/B%C3%A4ume%20neu.csv?x=/y', u'Bäume neu.csv'), ('https://host', NAMELESS),
    ('https://host/?name=x', NAMELESS), ('https://host/a/%2e%2e', NAMELESS),
    ('https://host/x%2F..%2Fy.csv', u'y.csv'), ('https://host/a%00b.csv', u'a_b.csv')])
def test_file_name__url(url, name):
    assert file_name(None, url) == name


@pytest.mark.parametrize('name, safe', [
    (u'trees.csv', u'trees.csv'), (u'Bäume 你好.csv', u'Bäume 你好.csv'),
    (u'a;b&c (1).tar.gz', u'a;b&c (1).tar.gz'), (u'../../etc/passwd', u'passwd'),
    (u'/etc/passwd', u'passwd'), (u'..\\..\\boot.ini', u'boot.ini'),
    (u'C:\\Windows\\win.ini', u'win.ini'), (u'C:win.ini', u'C_win.ini'),
    (u'a.txt:stream', u'a.txt_stream'), (u'a\x00b\x1b[2J\r\n.csv', u'a_b_[2J__.csv'),
    (u'gpj.\u202eexe', u'gpj._exe'), (u'a<b>|"?*.csv', u'a_b_____.csv'), (u'', NAMELESS),
    (u'.', NAMELESS), (u'..', NAMELESS), (u'. . .', NAMELESS), (u'/', NAMELESS),
    (u'a/', NAMELESS), (u'.bashrc', u'bashrc'), (u'trees.csv. . ', u'trees.csv'),
    (u'  trees.csv', u'trees.csv'), (u'CON', u'_CON'), (u'con.txt', u'_con.txt'),
    (u'Lpt1 .csv', u'_Lpt1 .csv'), (u'COM¹', u'_COM¹'), (u'console.txt', u'console.txt'),
    (u'nul.', u'_nul'), (u'...nul', u'_nul'), (u'conout$', u'_conout$')])
def test_safe_name(name, safe):
    assert safe_name(name) == safe


@pytest.mark.parametrize('name, ending', [
    (u'a' * 300 + u'.csv', u'a.csv'), (u'ä' * 300 + u'.csv', u'ä.csv'),
    (u'\U0001f333' * 300 + u'.csv', u'\U0001f333.csv'),
    (u'a' * 300, u'aaa'), (u'a.' + u'b' * 300, u'bbb'),
    (u'a' * 195 + u'. . . . .' + u'b' * 30, u'a')])
def test_safe_name__too_long(name, ending):
    safe = safe_name(name)
    assert safe.endswith(ending) and LONGEST_NAME - 6 <= len(safe.encode('utf-8')) <= LONGEST_NAME


def is_safe(name):
    return (isinstance(name, six.text_type) and name
            and not re.search(u'[/\\\\:\x00-\x1f\x7f]', name) and name.strip(u'.')
            and not name.startswith((u'.', u' ')) and not name.endswith((u'.', u' '))
            and len(name.encode('utf-8')) <= LONGEST_NAME + 1 and os.path.basename(name) == name
            and not re.match(r'(?i)(con|nul|aux|prn|com\d|lpt\d)(\.|\Z)', name))


PIECES = [u'..', u'/', u'\\', u'C:', u'\x00', u'.', u' ', u'con', u'nul', u'a' * 120,
          u'\U0001f333' * 60]


@given(st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map(u''.join)))
def test_safe_name__any_text(name):
    assert is_safe(safe_name(name))


@given(st.text(), st.text())
def test_file_name__any_text(text, path):
    assert is_safe(file_name(u'attachment; filename=' + text, u'https://host/' + path))
    assert is_safe(file_name(u'attachment; filename="{}"'.format(text), u'https://host/' + path))
    assert is_safe(file_name(u"x; filename*=UTF-8''" + text, path))
