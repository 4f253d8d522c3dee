"""Turn the texts that PostgreSQL sends into the values that the service answers in JSON."""
import json
import re

#: The service's names of PostgreSQL's types, by their OIDs; any other is called unknown(OID).
_KINDS = {16: 'boolean', 18: 'string', 19: 'string', 20: 'bigint', 21: 'integer', 23: 'integer', 25: 'string',
          700: 'real', 701: 'float', 705: 'string', 1042: 'string', 1043: 'string', 1082: 'date', 1083: 'time',
          1114: 'datetime', 1184: 'datetime', 1266: 'time', 1700: 'number'}
_WITH_LENGTH = (1042, 1043)
_TIME = re.compile(r'((?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(?:([+-]\d\d)(:\d\d)?)?')
#: Arrays of PostgreSQL's own types. Clients of it in Python take those of an extension for texts, and so the service.
_ARRAY_TYPES = ('SELECT a.oid, a.typelem, e.typdelim FROM pg_type a JOIN pg_type e ON e.typarray = a.oid '
                'WHERE a.oid < 16384')


class Values:
    """Turns results into rows.

    Args:
        connection (psycopg.Connection): to a database with PostGIS; the types of all others are the same.
    """

    def __init__(self, connection):
        geometry = connection.execute("SELECT 'geometry'::regtype::oid").fetchone()[0]
        self._kinds = {**_KINDS, geometry: 'geometry'}
        self._loaders = dict(_LOADERS)
        for oid, element, delimiter in connection.execute(_ARRAY_TYPES):
            self._loaders[oid] = _array_loader(self._loaders.get(element, str), delimiter)

    def columns(self, result):
        """Return `type`, `name` and `max_length` of each column."""
        return [{'type': self._kinds.get(result.ftype(index)) or 'unknown({})'.format(result.ftype(index)),
                 'name': result.fname(index).decode(errors='replace'), 'max_length': _max_length(result, index)}
                for index in range(result.nfields)]

    def rows(self, result):
        """Return each row as a dict."""
        columns = []
        for index in range(result.nfields):
            load = self._loaders.get(result.ftype(index), str)
            # A user whom PostgreSQL lets change the encoding gets what comes of it.
            texts = [result.get_value(row, index) for row in range(result.ntuples)]
            columns.append([None if text is None else load(text.decode(errors='replace')) for text in texts])
        names = [result.fname(index).decode(errors='replace') for index in range(result.nfields)]
        return [dict(zip(names, row)) for row in zip(*columns)]


def _max_length(result, index):
    modifier = result.fmod(index)
    return modifier - 4 if result.ftype(index) in _WITH_LENGTH and modifier > 4 else None


def _float(text):
    """JSON has no NaN and no Infinity: these stay texts."""
    return text if text[-1] in 'Ny' else float(text)


def _number(text):
    return int(text) if text.lstrip('-').isdigit() else _float(text)


def _time(text):
    """Write a time as Python does, with six digits of a second or none, and minutes of the offset."""
    match = _TIME.fullmatch(text)
    if not match:
        return text         # before Christ, or infinity
    seconds, fraction, hours, minutes = match.groups()
    return (seconds + ('.' + fraction.ljust(6, '0') if fraction else '') + (hours or '') +
            (minutes or ':00' if hours else ''))


def _array_loader(load, delimiter):
    """Return what makes a list of the text of an array, `{1,NULL,{"a b"}}`."""
    token = re.compile(r'"((?:[^"\\]|\\.)*)"|([{{}}{0}])|([^{{}}"{0}]+)'.format(re.escape(delimiter)), re.DOTALL)

    def load_array(text):
        stack = [[]]
        # An array that does not begin at 1 says so in front: [0:1]={1,2}.
        for match in token.finditer(text, text.index('{')):
            quoted, mark, plain = match.groups()
            if mark == '{':
                stack.append([])
            elif mark == '}':
                inner = stack.pop()
                stack[-1].append(inner)
            elif plain is not None:
                stack[-1].append(None if plain == 'NULL' else load(plain))
            elif quoted is not None:
                stack[-1].append(load(re.sub(r'\\(.)', r'\1', quoted, flags=re.DOTALL)))
        return stack[0][0]
    return load_array


_LOADERS = {16: 't'.__eq__, 20: int, 21: int, 23: int, 26: int, 114: json.loads, 700: _float, 701: _float,
            1083: _time, 1114: _time, 1184: _time, 1266: _time, 1700: _number, 3802: json.loads}
