"""PostgreSQL's SQL, as users of the service write it, made into SQLite's."""

from typing import NamedTuple

from .sqltokens import Token, syntax_error
from .sqltypes import SQLError, type_of

_END_OF_COLUMNS = ('from', 'where', 'group', 'having', 'order', 'limit', 'offset', 'union', 'except',
                   'intersect')
_COMPARISONS = ('=', '<', '>', '<=', '>=', '<>', '!=', '&&', 'and', 'or', 'not', 'is', 'in', 'like', 'ilike',
                'between', 'isnull', 'notnull', 'exists')
_TRANSLATED = {'current_timestamp': '`now`()', 'localtimestamp': '`now`()', 'current_date': '`::date`(`now`())',
               'current_time': '`::time`(`now`())',
               # SQLite leaves these two operators to functions of our own
               'ilike': 'REGEXP', '&&': 'MATCH'}
_LITERAL_TYPES = {'current_timestamp': 'datetime', 'localtimestamp': 'datetime', 'current_date': 'date',
                  'current_time': 'time', 'true': 'boolean', 'false': 'boolean'}
_INTERNAL_TYPE_NAMES = {'int': 'int4', 'integer': 'int4', 'smallint': 'int2', 'bigint': 'int8', 'boolean': 'bool',
                        'float': 'float8', 'double precision': 'float8', 'real': 'float4', 'decimal': 'numeric',
                        'character varying': 'varchar'}
_DOT = Token('operator', '.')
_FUNCTION_NAMES = {'string_agg': 'group_concat'}


class Translation(NamedTuple):
    """A statement for SQLite; `types` is what its text tells of its columns' types, by their names."""

    sql: str
    types: dict


def _split(tokens, separator=','):
    parts = [[]]
    for token in tokens:
        if token == Token('operator', separator):
            parts.append([])
        else:
            parts[-1].append(token)
    return parts


def _is_word(token, *words):
    return token.kind == 'word' and token.text in words


def quote_name(name):
    """Quote a name for SQLite, in backticks: a name in double quotes that is not there would be read as a string."""
    return '`{}`'.format(name.replace('`', '``'))


def _cast(kind, sql):
    return '`::{}`({})'.format(kind, sql) if kind else sql


def _operand(tokens, start=0):
    """Tell what stands at `start`, (kind, name, end): a column, a call, or None; the names of both may have dots."""
    end = start + 1
    is_side = len(tokens) > end and _is_word(tokens[start], 'left', 'right') and tokens[end].kind == 'group'
    if len(tokens) < end or not (tokens[start].kind == 'name' or is_side):
        return None, '', start
    while len(tokens) > end + 1 and tokens[end] == _DOT and tokens[end + 1].kind == 'name':
        end += 2
    name = tokens[end - 1].text
    if len(tokens) > end and tokens[end].kind == 'group':
        return 'call', name, end + 1
    return 'column', name, end


def _whole_operand(tokens):
    """Tell what column or call, (kind, name), an expression is, or (None, '')."""
    kind, name, end = _operand(tokens)
    is_whole = end == len(tokens) or (kind == 'call' and _is_word(tokens[end], 'over', 'filter'))
    return (kind, name) if is_whole else (None, '')


class Translator:
    """Writes one statement in SQLite's dialect, and notes what its text says of its columns' types.

    Args:
        function_types (dict): the service's type by the name of a function that always answers it.
        column_types (callable): gives for the name of a table a dict: the service's type by the name of each column.
    """

    def __init__(self, function_types, column_types):
        self._function_types = function_types
        self._column_types = column_types
        self.types = {}

    def statement(self, tokens):
        """Write a whole statement."""
        return self._level(tokens, is_statement=True)

    def _level(self, tokens, is_statement=False):
        """Write a whole statement, or all that stands between two brackets."""
        written, position = [], 0
        is_query = any(_is_word(token, 'select', 'values') for token in tokens)
        changes = ('insert', 'update') if is_statement else ()
        while position < len(tokens):
            token = tokens[position]
            if _is_word(token, *changes):
                sql, end = (self._insert if token.text == 'insert' else self._update)(tokens, position)
                written.append(sql)
            elif _is_word(token, 'select', 'returning'):
                end = self._end_of_columns(tokens, position + 1)
                written += [token.text.upper(), self._columns(tokens[position + 1:end])]
            elif _is_word(token, 'order') and is_query:
                end = self._find(tokens, position, ('limit', 'offset', 'returning'))
                written.append(self._order(tokens[position + 1:end]))
            elif _is_word(token, 'limit', 'offset') and is_query:
                end = self._find(tokens, position, ('returning',))
                written.append(self._limit(tokens[position:end]))
            else:
                end = self._find(tokens, position + 1, ('select', 'returning', 'order', 'limit', 'offset', *changes))
                written.append(self._run(tokens[position:end]))
            position = end
        return ' '.join(written)

    def _insert(self, tokens, start):
        """Write INSERT up to its ON CONFLICT or RETURNING, with a cast around each new value as PostgreSQL makes it."""
        kind, table, after_table = _operand(tokens, start + 2)
        source = self._find(tokens, start, ('values', 'select', 'with', 'default'))
        end = self._find(tokens, source, ('returning',))
        conflicts = [at for at in range(source, end - 1) if _is_word(tokens[at + 1], 'conflict')]
        end = conflicts[0] if conflicts else end
        if source == end or _is_word(tokens[source], 'default') or not kind:
            return self._run(tokens[start:end]), end
        self.types = types = self._column_types(table)
        names = list(types)
        if kind == 'call':
            names = [token.text for token in tokens[after_table - 1].inner if token.kind == 'name']
        values = ['value{}'.format(number) for number in range(len(names))]
        return 'INSERT INTO {} ({}) WITH `new`({}) AS ({}) SELECT {} FROM `new` WHERE true'.format(
            quote_name(table), ', '.join(quote_name(name) for name in names), ', '.join(values),
            self._level(tokens[source:end]),
            ', '.join(_cast(types.get(name), value) for name, value in zip(names, values))), end

    def _update(self, tokens, start):
        """Write UPDATE up to the end of its SET, with a cast around each new value as PostgreSQL makes it."""
        _, table, _ = _operand(tokens, start + 1)
        begin = self._find(tokens, start, ('set',)) + 1
        end = self._end_of_columns(tokens, begin)
        end = min(end, self._find(tokens, begin, ('returning',)))
        self.types = types = self._column_types(table)
        assignments = []
        for part in _split(tokens[begin:end]):
            if len(part) > 2 and part[0].kind == 'name' and part[1] == Token('operator', '='):
                value = _cast(types.get(part[0].text), self._run(part[2:]))
                assignments.append('{} = {}'.format(quote_name(part[0].text), value))
            else:
                assignments.append(self._run(part))
        return '{} {}'.format(self._run(tokens[start:begin]), ', '.join(assignments)), end

    @staticmethod
    def _find(tokens, start, words):
        return next((index for index in range(start, len(tokens)) if _is_word(tokens[index], *words)), len(tokens))

    def _end_of_columns(self, tokens, start):
        end = self._find(tokens, start, _END_OF_COLUMNS)
        while end < len(tokens) and end > start + 1 and _is_word(tokens[end - 1], 'distinct'):
            end = self._find(tokens, end + 1, _END_OF_COLUMNS)     # the FROM in "a IS DISTINCT FROM b"
        return end

    def _columns(self, tokens):
        first = ''
        if tokens and _is_word(tokens[0], 'distinct', 'all'):
            first, tokens = tokens[0].text.upper() + ' ', tokens[1:]
        return first + ', '.join(self._column(part) for part in _split(tokens))

    def _column(self, tokens):
        """Write one column of a result under the name that PostgreSQL gives it."""
        if not tokens:
            raise SQLError('syntax error in the list of columns')
        if tokens[-1] == Token('operator', '*'):
            return self._run(tokens)
        expression, name = tokens, None
        before = tokens[-2] if len(tokens) > 1 else Token('end', '')
        if _is_word(before, 'as') and len(tokens) > 2:
            expression, name = tokens[:-2], tokens[-1].text
        elif tokens[-1].kind == 'name' and (
                before.kind in ('name', 'string', 'number', 'group', 'cast') or _is_word(before, 'end', 'null', 'true',
                                                                                        'false')):
            expression, name = tokens[:-1], tokens[-1].text
        name = name or self._column_name(expression)
        written = self._run(expression)
        # a sub-query was written just now, so its columns are noted already: those of the query around it count more
        kind = self._type(expression)
        if kind:
            self.types[name] = kind
        return '{} AS {}'.format(written, quote_name(name))

    @staticmethod
    def _column_name(tokens):
        casts = [token for token in tokens if token.kind == 'cast']
        while tokens and tokens[-1].kind == 'cast':
            tokens = tokens[:-1]
        kind, name = _whole_operand(tokens)
        if kind:
            return name
        if tokens and _is_word(tokens[0], 'case', 'exists'):
            return tokens[0].text
        if len(tokens) == 1 and tokens[0].kind == 'group':
            return Translator._column_name(tokens[0].inner)
        if len(tokens) == 1 and casts:
            return _INTERNAL_TYPE_NAMES.get(casts[-1].text, casts[-1].text)
        if len(tokens) == 1 and tokens[0].kind == 'word' and tokens[0].text != 'null':
            return 'bool' if tokens[0].text in ('true', 'false') else tokens[0].text
        return '?column?'

    def _type(self, tokens):
        if tokens and not _is_word(tokens[0], 'case') and any(
                token.kind in ('word', 'operator') and token.text in _COMPARISONS for token in tokens):
            return 'boolean'
        kind, name = _whole_operand(tokens)
        if kind == 'call':
            return self._function_types.get(name)
        if len(tokens) == 1:
            return 'string' if tokens[0].kind == 'string' else _LITERAL_TYPES.get(tokens[0].text)
        is_cast = len(tokens) > 1 and tokens[-1].kind == 'cast' and not any(
            token.kind == 'operator' and token.text != '.' for token in tokens)
        return type_of(tokens[-1].text) if is_cast else None

    def _order(self, tokens):
        """Write ORDER BY with NULL after all else, as PostgreSQL sorts it."""
        if len(tokens) < 2 or not _is_word(tokens[0], 'by'):
            raise syntax_error(tokens[0].text if tokens else '')
        parts = []
        for part in _split(tokens[1:]):
            nulls = 'FIRST' if part and _is_word(part[-1], 'desc') else 'LAST'
            if len(part) > 2 and _is_word(part[-2], 'nulls'):
                nulls = part.pop().text.upper()
                part.pop()
            parts.append('{} NULLS {}'.format(self._run(part), nulls))
        return 'ORDER BY ' + ', '.join(parts)

    def _limit(self, tokens):
        """Write LIMIT and OFFSET, which may come alone and in either order."""
        clauses = {}
        for token in tokens:
            if _is_word(token, 'limit', 'offset'):
                if token.text in clauses:
                    raise syntax_error(token.text)
                current = clauses[token.text] = []
            else:
                current.append(token)
        limit = clauses.get('limit', [Token('word', 'all')])
        rows = '-1' if limit == [Token('word', 'all')] else self._run(limit)
        skipped = [token for token in clauses.get('offset', []) if token.text not in ('row', 'rows')]
        return 'LIMIT {}{}'.format(rows, ' OFFSET ' + self._run(skipped) if 'offset' in clauses else '')

    def _run(self, tokens):
        """Write tokens without clauses of their own; each piece is a whole operand, so that a cast can go around it."""
        pieces, position = [], 0
        while position < len(tokens):
            token = tokens[position]
            kind, name, end = _operand(tokens, position)
            if kind:
                pieces.append(self._name_or_call(tokens[position:end], kind, name))
                position = end
                if pieces[:-1] in (['UPDATE'], ['DELETE', 'FROM']) and end < len(tokens) and tokens[end].kind == 'name':
                    pieces.append('AS')    # SQLite wants it before the other name of a table that is changed
            elif token.kind == 'group':
                piece, position = self._group(tokens, position)
                pieces.append(piece)
            elif token.kind == 'cast':
                if not pieces:
                    raise syntax_error('::')
                pieces[-1] = _cast(type_of(token.text), pieces[-1])
                position += 1
            else:
                pieces.append(self._plain(token))
                position += 1
        return ' '.join(pieces)

    @staticmethod
    def _plain(token):
        if token.kind == 'string':
            return "'{}'".format(token.text.replace("'", "''"))
        return _TRANSLATED.get(token.text, token.text.upper() if token.kind == 'word' else token.text)

    def _name_or_call(self, tokens, kind, name):
        group = tokens[-1] if kind == 'call' else None
        names = [token.text for token in tokens if token.kind in ('name', 'word')]
        if group and len(names) == 1:
            names = [_FUNCTION_NAMES.get(name, name)]
        written = '.'.join(quote_name(part) for part in names)
        return '{}({})'.format(written, self._level(group.inner)) if group else written

    def _group(self, tokens, position):
        """Write a group; `(values ...) as c(a, b)` becomes a WITH, the one way in which SQLite names such columns."""
        inner = self._level(tokens[position].inner)
        start = position + 1
        if start < len(tokens) and _is_word(tokens[start], 'as'):
            start += 1
        alias = tokens[start:start + 2]
        if [token.kind for token in alias] == ['name', 'group']:
            name = quote_name(alias[0].text)
            return '(WITH {0}({1}) AS ({2}) SELECT * FROM {0}) AS {0}'.format(
                name, self._run(alias[1].inner), inner), start + 2
        return '({})'.format(inner), position + 1


def translate(tokens, function_types, column_types):
    """Make a PostgreSQL statement into one for SQLite.

    Args:
        tokens (tuple of Token): one statement, from `parse`.
        function_types (dict): see `Translator`.
        column_types (callable): see `Translator`.

    Returns:
        Translation: the statement and what its text tells.

    Raises:
        SQLError: it cannot be read.

    Example:
        >>> from amigocloud.sandbox.sqltokens import parse
        >>> translate(parse('SELECT Name::text FROM dataset_1'), {}, {}.get).sql
        'SELECT `::string`(`name`) AS `name` FROM `dataset_1`'
    """
    translator = Translator(function_types, column_types)
    return Translation(translator.statement(tokens), translator.types)
