"""The gate before SQLite: sqlglot parses a statement of PostgreSQL and resolves its names, the gate resolves its types
by the rules of PostgreSQL and replaces what SQLite would compute otherwise.

It knows everyday statements without subqueries, and refuses everything else.
"""
import collections
import contextlib
import datetime
import logging
import re
from typing import NamedTuple

import sqlglot
from sqlglot import exp
from sqlglot.dialects.postgres import Postgres
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers
from sqlglot.optimizer.qualify import qualify
from sqlglot.tokens import TokenType

from ..types import SQLError
from . import values
from .functions import AGGREGATES, resolve
from .values import refused

#: sqlglot logs what it does not know; the gate refuses it.
logging.getLogger('sqlglot').setLevel(logging.CRITICAL)
#: Words that are no names in PostgreSQL unless they are quoted, and those that need AS before them.
_RESERVED = frozenset('''all analyse analyze and any array as asc asymmetric authorization binary both case cast check
    collate collation column concurrently constraint create cross current_catalog current_date current_role
    current_schema current_time current_timestamp current_user default deferrable desc distinct do else end except false
    fetch for foreign freeze from full grant group having ilike in initially inner intersect into is isnull join lateral
    leading left like limit localtime localtimestamp natural not notnull null offset on only or order outer overlaps
    placing primary references returning right select session_user similar some symmetric table tablesample then to
    trailing true union unique user using variadic verbose when where window with'''.split())
_NEED_AS = _RESERVED.union('char character day filter hour minute month over precision second varying within without '
                           'year'.split())
#: The parts that a clause may have. The parts of an expression are the arguments of its method.
_PARTS = {name: set(parts.split()) for name, parts in {
    'select': 'expressions from joins where group having order limit offset distinct', 'from': 'this',
    'insert': 'this expression', 'update': 'this expressions from where', 'delete': 'this where',
    'schema': 'this expressions', 'values': 'expressions alias', 'tuple': 'expressions', 'table': 'this db alias',
    'tablealias': 'this columns', 'join': 'this side kind on', 'where': 'this', 'group': 'expressions',
    'having': 'this', 'order': 'expressions', 'ordered': 'this desc nulls_first', 'limit': 'expression',
    'offset': 'expression', 'distinct': '', 'star': '', 'column': 'this table', 'alias': 'this alias',
    'like': 'this expression negate', 'ilike': 'this expression negate', 'dpipe': 'this expression safe',
    'div': 'this expression typed safe'}.items()}
_COMPARISONS = {exp.EQ: '=', exp.NEQ: '<>', exp.LT: '<', exp.LTE: '<=', exp.GT: '>', exp.GTE: '>=',
                exp.NullSafeEQ: '<=>', exp.NullSafeNEQ: '<!>', exp.Like: '~~', exp.ILike: '~~*'}
_ARITHMETIC = {exp.Add: '+', exp.Sub: '-', exp.Mul: '*', exp.Div: '/', exp.Mod: '%', exp.Neg: '-'}
_OTHERS = {exp.DPipe: '||', exp.ArrayOverlaps: '&&'}
_OPERATORS = {**_COMPARISONS, **_ARITHMETIC, **_OTHERS, exp.And: '&', exp.Or: '|', exp.Not: '!'}
_TIGHT = (*_COMPARISONS, *_ARITHMETIC, *_OTHERS, exp.Is, exp.In, exp.Between, exp.Cast)
#: Operations that must stand in parentheses below an operator: PostgreSQL groups some otherwise.
_LOOSE = (*_COMPARISONS, exp.Is, exp.In, exp.Between, exp.Not, exp.And, exp.Or)
_COMMA = ('', '', False)
_JOINS = (_COMMA, ('', '', True), ('', 'INNER', True), ('', 'CROSS', False), ('LEFT', '', True),
          ('LEFT', 'OUTER', True))
_TYPE_NAMES = {'int': 'integer', 'decimal': 'numeric', 'varchar': 'text', **{name: name for name in (
    'bigint', 'text', 'double precision', 'boolean', 'date', 'timestamp', 'timestamptz', 'geometry', 'box3d')}}
_WRITES = (exp.Insert, exp.Update, exp.Delete)
#: The word of sqlglot for a word of PostgreSQL; None for those that it adds or leaves out.
_SYNONYMS = {'integer': 'int', 'int4': 'int', 'int8': 'bigint', 'float8': 'double precision', 'bool': 'boolean',
             'numeric': 'decimal', '!=': '<>', **dict.fromkeys(('as', '::', 'cast', '(', ')', ';'))}


class Dialect(Postgres):
    """PostgreSQL's grammar, in which functions stay as they are written."""

    class Parser(Postgres.Parser):
        FUNCTIONS = {}
        FUNCTION_PARSERS = {'CAST': Postgres.Parser.FUNCTION_PARSERS['CAST']}


class Typed(NamedTuple):
    """An expression for SQLite, and its type."""

    node: exp.Expression
    kind: str


@contextlib.contextmanager
def _refusing():
    """Refuse what sqlglot refuses, and trees of an unexpected shape."""
    try:
        yield
    except SQLError:
        raise
    except sqlglot.errors.SqlglotError as error:
        raise refused('it ({})'.format(str(error).split('\n')[0][:200])) from None
    except Exception:
        raise refused('a statement of this kind') from None


def parse(query):
    """Return the tree of the one statement of a query, if sqlglot reads in it all that is written."""
    with _refusing():
        query.encode()
        tokens = Dialect().tokenize(query)
        trees = [tree for tree in sqlglot.parse(query, read=Dialect)
                 if tree is not None and not isinstance(tree, exp.Semicolon)]
        if len(trees) > 1:
            raise SQLError('cannot insert multiple commands into a prepared statement')
        pairs = list(zip(tokens, tokens[1:]))
        behind_as = {after.text.lower() for before, after in pairs if before.text.lower() == 'as'}
        for name in trees[0].find_all(exp.Identifier):
            words = _NEED_AS - behind_as if isinstance(name.parent, exp.Alias) else _RESERVED
            if len(name.this) > 63 or not name.args.get('quoted') and (
                    not name.this.isascii() or name.this.lower() in words):
                raise refused('it with the name "{}"'.format(name.this[:200]))
        if '\0' in query or _words(tokens) != _words(
                Dialect().tokenize(trees[0].sql(Dialect, comments=False))) or any(
                before.token_type == TokenType.NUMBER and before.end + 1 == after.start and
                after.text[0].isidentifier() for before, after in pairs):
            raise refused('it (perhaps a syntax error)')
        return normalize_identifiers(trees[0], dialect=Dialect)


def _words(tokens):
    texts = [token.text.lower() for token in tokens]
    return collections.Counter(filter(None, [_SYNONYMS.get(text, text) for text in texts]))


def writes(query):
    """Return what a query would change: words such as Insert; none if it cannot be read."""
    try:
        tree = parse(query)
    except SQLError:
        return []
    found = [type(node).__name__ for node in tree.find_all(*_WRITES, exp.Merge)]
    reads = isinstance(tree, (exp.Query, exp.Values, exp.Column, exp.Alias))
    return found if found or reads else [type(tree).__name__]


def constant(value):
    """Return the node of a value."""
    if isinstance(value, bytes):
        return exp.HexString(this=value.hex(), is_integer=False)
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def _call(name, *arguments):
    return exp.Anonymous(this=name, expressions=list(arguments))


def _name(text):
    return exp.to_identifier(text, quoted=True)


def _sql(node):
    return node.sql('sqlite', comments=False)


def _refused(node):
    return refused('"{}"'.format(node.sql('postgres')[:200]))


def _parts(node):
    """Return the parts of a node by name; refuse a clause with an unexpected part."""
    parts = {name.rstrip('_'): value for name, value in node.args.items() if value not in (None, False, [])}
    if node.key in _PARTS and not _PARTS[node.key].issuperset(parts):
        raise _refused(node)
    return parts


def _labelled(item):
    """Return a column of SELECT with the name that PostgreSQL gives it."""
    if isinstance(item, exp.Alias) or item.is_star:
        return item
    if isinstance(item, (exp.Cast, exp.Paren, exp.Boolean, exp.CurrentDate, exp.CurrentSchema)):
        raise refused('"{}" without AS and a name'.format(item.sql('postgres')[:200]))
    name = item.name.lower() if isinstance(item, exp.Anonymous) else '?column?'
    return exp.alias_(item, item.name if isinstance(item, exp.Column) else name, quoted=True)


def _collated(node, kind):
    """Return a node that SQLite compares as PostgreSQL does, also if it holds a numeric."""
    if kind != 'numeric' and (kind == 'boolean' or not node.find(exp.Collate)):
        return node
    return exp.Collate(this=node, expression=_name('numeric' if kind == 'numeric' else 'binary'))


def _compared(node, kind):
    """Return a node by which SQLite sorts or groups; refuse what has no order."""
    resolve('=', [kind, kind])
    return _collated(node, kind)


def _keys_of(table, where):
    """Return a query of the keys of the rows of a table that a statement changes."""
    key = exp.column('amigo_id', table.alias_or_name, quoted=True)
    query = exp.Select(expressions=[exp.alias_(key, 'key')]).from_(table)
    query.set('where', where)
    return query


class Gate:
    """Writes one statement for SQLite.

    Args:
        tables (callable): returns for the name of a table its columns: a dict, by name, of the type and the kind of
            geometry; empty if there is no such table.
    """

    def __init__(self, tables):
        self._tables = tables
        self._sources = {}      # the columns of each table in FROM, by its name there
        self._keys = None       # the columns in GROUP BY; None outside of a query with groups
        now = datetime.datetime.now(datetime.timezone.utc).isoformat(' ')
        self._constants = {'now': (now, 'timestamptz'), 'currentdate': (now[:10], 'date'),
                           'current_schema': ('public', 'text'), 'currentschema': ('public', 'text')}

    def read(self, query):
        """Write a query; return the SQL for SQLite, and the name and the type of each of its columns."""
        tree = parse(query)
        if isinstance(tree, _WRITES):
            raise SQLError('cannot execute {} in a read-only transaction'.format(tree.key.upper()))
        with _refusing():
            tree, kinds = self._query(tree)
            if not set(kinds) <= set(values.KINDS):
                raise _refused(tree)
            return _sql(tree), [(item.alias, kind) for item, kind in zip(tree.expressions, kinds)]

    def write(self, query):
        """Write an INSERT, UPDATE or DELETE; return the SQL for SQLite."""
        tree = parse(query)
        if not isinstance(tree, _WRITES):
            raise _refused(tree)
        with _refusing():
            parts = _parts(tree)
            target = parts['this'].this if isinstance(tree, exp.Insert) else parts['this']
            if not target.name.startswith('dataset_') or 'db' in _parts(target) or not self._tables(target.name):
                raise SQLError('relation "{}" does not exist or cannot be changed'.format(target.name))
            return getattr(self, '_' + tree.key)(target.name, **parts)

    # statements

    def _insert(self, table, this, expression):
        names = [name.name for name in _parts(this)['expressions']]
        if isinstance(expression, exp.Values):
            for row in _parts(expression)['expressions']:
                found = [self._visit(value) for value in _parts(row)['expressions']]
                row.set('expressions', self._stored(table, names, found))
        else:
            expression = self._query_of_new(table, names, expression)
        return 'INSERT INTO {} ({}) {}'.format(
            table, ', '.join(_sql(_name(name)) for name in names), _sql(expression))

    def _delete(self, table, this, where=None):
        query, _ = self._query(_keys_of(this, where))
        return 'DELETE FROM {} WHERE amigo_id IN ({})'.format(table, _sql(query))

    def _update(self, table, this, expressions, where=None, **others):
        query = _keys_of(this, where)
        for number, setting in enumerate(expressions):
            if not isinstance(setting, exp.EQ) or set(_parts(setting.this)) != {'this'}:
                raise _refused(setting)
            query.append('expressions', exp.alias_(setting.expression, 'new{}'.format(number)))
        if others:
            query.append('joins', exp.Join(this=_parts(others['from'])['this'], kind='CROSS'))
        names = [setting.this.name for setting in expressions]
        query = self._query_of_new(table, names, query, 1)
        return 'UPDATE {0} SET {1} FROM ({2}) AS changed WHERE {0}.amigo_id = changed.key'.format(
            table, ', '.join('{} = changed.new{}'.format(_sql(_name(name)), number)
                             for number, name in enumerate(names)), _sql(query))

    def _query_of_new(self, table, names, query, start=0):
        """Write a query the columns of which, from `start` on, are new values of columns."""
        query, kinds = self._query(query)
        if 'distinct' in _parts(query) or 'limit' in _parts(query):
            raise _refused(query)
        items = query.expressions[start:]
        found = [Typed(item.this, kind) for item, kind in zip(items, kinds[start:])]
        for item, node in zip(items, self._stored(table, names, found)):
            item.set('this', node)
        return query

    def _stored(self, table, names, found):
        """Return the nodes of the new values of columns."""
        columns = self._tables(table)
        if len(set(names)) < len(names) or not columns.keys() >= set(names):
            raise SQLError('a column does not exist, or is changed twice')
        if len(found) != len(names):
            raise SQLError('not as many columns as values')
        nodes = [self._cast(typed, columns[name][0], values.ASSIGNED) for typed, name in zip(found, names)]
        return [_call('pg_store', node, constant(columns[name][1])) if columns[name][1] else node
                for node, name in zip(nodes, names)]

    def _query(self, tree):
        """Write a query; return it and the types of its columns."""
        if not isinstance(tree, exp.Select) or len(list(tree.find_all(exp.Select))) > 1:
            raise _refused(tree)
        parts = _parts(tree)
        positions = [item.this for item in tree.find_all(exp.Ordered)]
        if exp.Literal.number(0) in [*positions, *parts.get('group', exp.Group()).expressions]:
            raise SQLError('position 0 is not in select list')
        tables = [_parts(parts['from'])['this']] if 'from' in parts else []
        tables.extend(join.this for join in parts.get('joins', ()))
        sources = [self._source(table) for table in tables]
        self._sources = dict(sources)
        if len(self._sources) < len(tables):
            raise SQLError('table name specified more than once')
        tree.set('expressions', [_labelled(item) for item in parts['expressions']])
        schema = {table.name: dict.fromkeys(columns, 'text')
                  for table, (_, columns) in zip(tables, sources) if isinstance(table, exp.Table)}
        try:
            tree = qualify(tree, dialect=Dialect, expand_alias_refs=False, schema=schema)
        except sqlglot.errors.OptimizeError as error:
            name = re.search(r"Column '(.+?)'|: (.+)", str(error))
            raise SQLError('column "{}" does not exist'.format(name.group(1) or name.group(2))) from None
        return tree, self._select(tree, [name for name, _ in sources], **_parts(tree))

    def _source(self, source):
        """Return the name in FROM of a table or of VALUES, and its columns: the type and the name in SQLite."""
        parts, names = _parts(source), source.alias_column_names
        if isinstance(source, exp.Values):
            rows = [_parts(row)['expressions'] for row in parts['expressions']]
            if {len(row) for row in rows} != {len(names)}:
                raise refused('VALUES without a name for each column')
            columns = [self._common(map(self._visit, column)) for column in zip(*rows)]
            for row, new in zip(parts['expressions'], zip(*columns)):
                row.set('expressions', [typed.node for typed in new])
            return source.alias, {name: (column[0].kind, 'column{}'.format(number))
                                  for number, (name, column) in enumerate(zip(names, columns), 1)}
        if names or source.db not in ('', 'public') or not isinstance(source.this, exp.Identifier):
            raise _refused(source)
        columns = self._tables(source.name)
        if not columns:
            raise SQLError('relation "{}" does not exist'.format(source.name))
        source.set('db', None)
        return source.alias_or_name, {column: (kind, column) for column, (kind, _) in columns.items()}

    def _select(self, tree, names, expressions, joins=(), where=None, group=None, having=None, order=None, limit=None,
                offset=None, distinct=None, **_):
        """Write the clauses of a query; return the types of its columns."""
        hows = [(join.side, join.kind, 'on' in _parts(join)) for join in joins]
        for index, (join, how) in enumerate(zip(joins, hows), 2):
            # A condition knows the tables before it, back to a comma.
            if how not in _JOINS or _COMMA in hows and len(set(hows)) > 1 or any(
                    column.table in names[index:] for column in join.find_all(exp.Column)):
                raise _refused(join)
            self._condition(join, 'on')
        self._condition(where)
        keys = _parts(group)['expressions'] if group else []
        if not all(isinstance(key, exp.Column) for key in keys):
            raise refused('GROUP BY an expression')
        if group:
            group.set('expressions', [_compared(*self._visit(key)) for key in keys])
        if group or having or any(call.name.lower() in AGGREGATES for clause in (*expressions, order) if clause
                                  for call in clause.find_all(exp.Anonymous)):
            self._keys = keys
        found = [self._visit(item.this) for item in expressions]
        for item, typed in zip(expressions, found):
            item.set('this', _compared(*typed) if distinct and not _parts(distinct) else typed.node)
        self._condition(having)
        labels = [item.alias for item in expressions]
        for item in _parts(order)['expressions'] if order else ():
            by = _parts(item)['this']
            if isinstance(by, exp.Column) and not by.table and labels.count(by.name) == 1:
                by = Typed(by, found[labels.index(by.name)].kind)
            elif distinct or not by.find(exp.Column, exp.Anonymous):
                raise refused('ORDER BY of what is not selected')
            else:
                by = self._visit(by)
            item.set('this', _compared(*by))
        self._keys = None
        if not all(isinstance(_parts(clause)['expression'], exp.Literal) for clause in (limit, offset) if clause):
            raise refused('a LIMIT or OFFSET that is no number')
        if offset and not limit:
            tree.set('limit', exp.Limit(expression=exp.Literal.number(-1)))
        return [typed.kind for typed in found]

    # types

    def _cast(self, typed, kind, allowed=values.IMPLICIT):
        """Return the node of an expression as one of a type, if PostgreSQL casts it so."""
        if kind in (typed.kind, 'any') or isinstance(typed.node, exp.Null):
            return typed.node
        if typed.kind == 'unknown':
            return constant(values.parse(typed.node.this, kind))
        if (typed.kind, kind) not in allowed:
            raise refused('a cast of {} to {}'.format(typed.kind, kind))
        return _call('pg_cast', typed.node, constant(typed.kind), constant(kind))

    def _common(self, found):
        """Return expressions as ones of the type that PostgreSQL finds for all of them."""
        found = list(found)
        kinds = {typed.kind for typed in found} - {'unknown'} or {'text'}
        for kind in kinds:
            if all(other == kind or (other, kind) in values.IMPLICIT for other in kinds):
                return [Typed(self._cast(typed, kind), kind) for typed in found]
        raise SQLError('types {} cannot be matched'.format(' and '.join(sorted(kinds))))

    def _apply(self, name, arguments, native=None):
        """Return a call of the function that PostgreSQL takes for arguments of these types."""
        signature = resolve(name, [typed.kind for typed in arguments])
        nodes = [self._cast(typed, kind) for typed, kind in zip(arguments, signature.arguments)]
        if not signature.call:
            nodes = [_collated(node, kind) for node, kind in zip(nodes, signature.arguments)]
        if native and not signature.call:
            return Typed(native(**dict(zip(('this', 'expression'), nodes))), signature.returns)
        return Typed(_call(signature.sql_name or name, *nodes), signature.returns)

    def _condition(self, clause, part='this'):
        if clause is not None and part in _parts(clause):
            typed = self._visit(clause.args[part])
            if typed.kind not in ('boolean', 'unknown'):
                raise SQLError('a condition must be type boolean, not ' + typed.kind)
            clause.set(part, self._cast(typed, 'boolean'))

    # expressions

    def _visit(self, tree):
        """Return an expression for SQLite with its type: the one recursive function."""
        kind, parts = type(tree), _parts(tree)
        if kind in _TIGHT and any(
                isinstance(child, _LOOSE) or (type(child) in _OTHERS and kind in _ARITHMETIC) or (
                    type(child) in _ARITHMETIC and kind in _OTHERS) for child in tree.iter_expressions()):
            raise refused('it without parentheses around an operation')
        if parts.pop('negate', None):
            tree.set('negate', None)
            return Typed(exp.Not(this=exp.Paren(this=self._visit(tree).node)), 'boolean')
        name = tree.name.lower() if kind is exp.Anonymous else tree.key
        if name in self._constants and not parts.get('expressions'):
            value, value_kind = self._constants[name]
            return Typed(constant(value), value_kind)
        visit = getattr(self, '_visit_' + tree.key, None)
        if visit is not None:
            return visit(tree, **parts)
        if kind not in _OPERATORS:
            raise _refused(tree)
        sides = [self._visit(parts[side]) for side in ('this', 'expression') if side in parts]
        return self._apply(_OPERATORS[kind], sides, kind)

    def _visit_column(self, tree, this, table):
        if self._keys is not None and tree not in self._keys:
            raise refused('it with "{}", which is neither in GROUP BY nor in an aggregate function'.format(tree.name))
        kind, name = self._sources[tree.table][tree.name]
        return Typed(exp.column(name, tree.table, quoted=True), kind)

    def _visit_literal(self, tree, this='', is_string=False):
        if is_string:
            return Typed(tree, 'unknown')
        if this.lstrip('-').isdigit() and -2 ** 63 <= int(this) < 2 ** 63:
            return Typed(constant(int(this)), 'integer' if -2 ** 31 <= int(this) < 2 ** 31 else 'bigint')
        return Typed(constant(values.parse(this, 'numeric')), 'numeric')

    def _visit_null(self, tree):
        return Typed(tree, 'unknown')

    def _visit_boolean(self, tree, this=False):
        return Typed(constant(int(this)), 'boolean')

    def _visit_paren(self, tree, this):
        typed = self._visit(this)
        return typed if typed.kind == 'unknown' else typed._replace(node=exp.Paren(this=typed.node))

    def _visit_neg(self, tree, this):
        if isinstance(this.unnest(), exp.Literal) and not this.unnest().is_string:
            return self._visit_literal(this, '-' + this.unnest().this)
        return self._apply('-', [self._visit(this)])

    def _visit_is(self, tree, this, expression):
        typed = self._visit(this)
        if not isinstance(expression, exp.Null) and (
                not isinstance(expression, exp.Boolean) or typed.kind != 'boolean'):
            raise _refused(tree)
        return Typed(exp.Is(this=typed.node, expression=self._visit(expression).node), 'boolean')

    def _visit_between(self, tree, this, low, high):
        return self._visit(exp.Paren(this=exp.And(this=exp.GTE(this=this.copy(), expression=low),
                                                  expression=exp.LTE(this=this.copy(), expression=high))))

    def _visit_in(self, tree, this, expressions):
        first, *others = self._common(map(self._visit, (this, *expressions)))
        return Typed(exp.In(this=_compared(*first), expressions=[other.node for other in others]), 'boolean')

    def _visit_cast(self, tree, this, to, **_):
        kind = _TYPE_NAMES.get(to.sql('postgres').lower().strip('"'))
        if kind is None:
            raise refused('a cast to ' + to.sql('postgres'))
        return Typed(self._cast(self._visit(this), kind, values.EXPLICIT), kind)

    def _visit_anonymous(self, tree, this, expressions=()):
        name = this.lower()
        if name in AGGREGATES:
            return self._aggregate(name, *expressions)
        found = [self._visit(item) for item in expressions]
        if name != 'coalesce':
            return self._apply(name, found)
        found = self._common(found)
        return Typed(_call(name, *[typed.node for typed in found], exp.Null()), found[0].kind)

    def _aggregate(self, name, item):
        keys = self._keys
        if keys is None:
            raise SQLError('aggregate functions are not allowed here')
        if name == 'count' and isinstance(item, exp.Star):
            return Typed(_call(name, exp.Star()), 'bigint')
        is_distinct = isinstance(item, exp.Distinct)
        self._keys = None
        found = self._visit(*(item.expressions if is_distinct else [item]))
        self._keys = keys
        typed = self._apply(name, [found])
        if is_distinct:
            node = _compared(*typed.node.expressions, found.kind)
            typed.node.set('expressions', [exp.Distinct(expressions=[node])])
        return typed
