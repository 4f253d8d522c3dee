"""PostgreSQL's SQL read as a tree of tokens."""

import re
from typing import NamedTuple, Tuple

from .sqltypes import SQLError

_TOKEN = re.compile(r'''
    (?P<space>\s+|--[^\n]*|/\*.*?\*/)
    |(?P<escaped>[eE]'[^'\\]*(?:(?:''|\\.)[^'\\]*)*')
    |(?P<string>'[^']*(?:''[^']*)*')
    |(?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)
    |(?P<quoted>"[^"]+(?:""[^"]*)*")
    |(?P<number>(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?)
    |(?P<word>[^\W\d][\w$]*)
    |(?P<operator>::|<=|>=|<>|!=|\|\||->>|->|&&|[-+*/%=<>.,;()])
''', re.VERBOSE | re.DOTALL)

#: Words of the grammar; any other is a name. Some may be names in PostgreSQL too, which matters only for an alias.
_KEYWORDS = frozenset('''
    all and as asc between by case cast cross current_date current_time current_timestamp default delete desc
    distinct do else end escape except exists false for from full group having ilike in inner insert intersect
    into is isnull join lateral left like limit localtimestamp natural not notnull null nulls offset on or order
    outer partition recursive returning right select set then true union update using values when where with
'''.split())
#: Words of the grammar only after one certain other word or kind of token, and names anywhere else.
_WORDS_AFTER = {'conflict': 'on', 'nothing': 'do', 'over': '(', 'filter': '('}
_STATEMENTS = ('select', 'values', 'insert', 'update', 'delete')
_ESCAPES = {'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}
_MAX_DEPTH = 50


class Token(NamedTuple):
    """A piece of a statement; `kind` is word, name, string, number, operator, cast, group or end.

    `text` is a word in lower case, a name or string without its quotes, the type of a cast. A group is what stands
    between round brackets.
    """

    kind: str
    text: str
    inner: Tuple['Token', ...] = ()


def syntax_error(text):
    """Make the error for a piece of text that does not belong where it is; `''` is the end."""
    return SQLError('syntax error at or near "{}"'.format(text) if text else 'syntax error at end of input')


def _unescaped(body):
    def character(match):
        escape = match.group(1) or match.group(2) or match.group(3)
        if match.group(3):
            return _ESCAPES.get(escape, escape)
        code = int(escape, 16)
        if not code or 0xD800 <= code < 0xE000:
            raise SQLError('invalid Unicode escape value at or near "{}"'.format(match.group()))
        return chr(code)
    return re.sub(r'\\(?:x([0-9A-Fa-f]{1,2})|u([0-9A-Fa-f]{4})|(.))', character, body, flags=re.DOTALL)


def _tokens(query):
    """Cut a query into flat tokens; brackets are operators still."""
    position = 0
    while position < len(query):
        match = _TOKEN.match(query, position)
        if not match:
            rest = query[position:]
            if rest[0] in '\'"' or rest[:2].lower() == "e'":
                raise SQLError('unterminated quoted string at or near "{}"'.format(rest[:60]))
            raise SQLError('unterminated /* comment') if rest.startswith('/*') else syntax_error(rest[0])
        kind, text, position = match.lastgroup, match.group(), match.end()
        if kind == 'word':
            yield Token('word' if text.lower() in _KEYWORDS else 'name', text.lower())
        elif kind == 'quoted':
            yield Token('name', text[1:-1].replace('""', '"'))
        elif kind == 'string':
            yield Token('string', text[1:-1].replace("''", "'"))
        elif kind == 'escaped':
            yield Token('string', _unescaped(text[2:-1].replace("''", "'")))
        elif kind == 'dollar':
            tag = len(match.group('tag')) + 2
            yield Token('string', text[tag:-tag])
        elif kind != 'space':
            yield Token(kind, text)


def _type_name(tokens, position):
    """Read the name of a type, of one word or several, and say where it ends."""
    words = []
    while position < len(tokens):
        token = tokens[position]
        zone = [part.text for part in tokens[position + 1:position + 3]]
        if token.text in ('with', 'without') and zone == ['time', 'zone']:
            words += [token.text, *zone]
            position += 3
        elif token.kind == 'name' and (not words or token.text in ('precision', 'varying')):
            words.append(token.text)
            position += 1
        elif token.kind == 'group' and words and {part.kind for part in token.inner} <= {'name', 'number', 'operator'}:
            position += 1
        else:
            break
    if not words:
        raise syntax_error(tokens[position].text if position < len(tokens) else '')
    return ' '.join(words), position


def _with_casts(tokens):
    """Make the three ways to write a cast into one: the operand, then a token `cast`."""
    result, position = [], 0
    while position < len(tokens):
        token = tokens[position]
        following = tokens[position + 1] if position + 1 < len(tokens) else Token('end', '')
        position += 1
        if token.text == '::' and token.kind == 'operator':
            name, position = _type_name(tokens, position)
            result.append(Token('cast', name))
        elif token == Token('word', 'cast') and following.kind == 'group':
            inner = following.inner
            cut = inner.index(Token('word', 'as')) if Token('word', 'as') in inner else len(inner)
            name, end = _type_name(inner, cut + 1)
            if end < len(inner):
                raise syntax_error(inner[end].text)
            result += [Token('group', '(', inner[:cut]), Token('cast', name)]
            position += 1
        elif token.kind == 'name' and token.text in ('date', 'timestamp', 'time') and following.kind == 'string':
            result += [following, Token('cast', token.text)]
            position += 1
        elif token.kind == 'name' and result and _WORDS_AFTER.get(token.text) == result[-1].text and (
                result[-1].kind in ('word', 'group')):
            result.append(Token('word', token.text))
        else:
            result.append(token)
    return tuple(result)


def parse(query):
    """Read the one statement of a query as a tree of tokens.

    Args:
        query (str): the statement, with or without a semicolon at its end.

    Returns:
        tuple of Token: casts are made alike, brackets are groups.

    Raises:
        SQLError: for what cannot be read: an open quote or bracket, a strange character, a second statement.
    """
    try:
        query.encode('utf-8')
    except UnicodeEncodeError:
        raise SQLError('invalid byte sequence for encoding "UTF8"') from None
    if '\0' in query:
        raise SQLError('invalid byte sequence for encoding "UTF8": 0x00')
    levels, ended = [[]], False
    for token in _tokens(query):
        is_bracket = token.kind == 'operator'
        if is_bracket and token.text == ';' and len(levels) == 1:
            ended = True
        elif ended:
            raise SQLError('cannot insert multiple commands into a prepared statement')
        elif is_bracket and token.text == ';':
            raise syntax_error(';')
        elif is_bracket and token.text == '(':
            levels.append([])
            if len(levels) > _MAX_DEPTH:
                raise SQLError('stack depth limit exceeded')
        elif is_bracket and token.text == ')':
            if len(levels) == 1:
                raise syntax_error(')')
            inner = _with_casts(levels.pop())
            levels[-1].append(Token('group', '(', inner))
        else:
            levels[-1].append(token)
    if len(levels) > 1:
        raise syntax_error('')
    return _with_casts(levels[0])


def statement_kind(tokens):
    """Tell a statement's verb in lower case, past a WITH in front of it; `''` for an empty one."""
    if tokens and tokens[0] == Token('word', 'with'):
        return next((token.text for token in tokens if token.kind == 'word' and token.text in _STATEMENTS), '')
    if tokens and tokens[0].kind == 'group':
        return statement_kind(tokens[0].inner)
    return tokens[0].text if tokens else ''


