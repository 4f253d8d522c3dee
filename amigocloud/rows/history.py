"""The states of a dataset: what changed between them, and how to go back."""
from __future__ import absolute_import

import collections

import six
from requests.compat import Mapping
from six.moves.urllib.parse import quote

from .. import checks, extras
from ..exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown
from ..jobs import run_job
from . import changes
from .columns import AMIGO_ID
from .results import WriteResult

#: The rows that two states differ by: three tables of pandas, whose index is the amigo_id.
Difference = collections.namedtuple('Difference', ('inserted', 'updated', 'deleted'))


def states(dataset, since, until):
    """Return the ids of states; see ``Dataset.states``."""
    params = {}
    if since is not None:
        params['from'] = checks.text('since', since)
    if until is not None:
        params['to'] = checks.text('until', until)
    url = dataset.url + '/states'
    found = checks.member(dataset.client.get(url, params), 'states', list, url)
    for state in found:
        checks.member({'states': state}, 'states', six.string_types, url)
    return found


def changeset(dataset, state):
    """Return the changes of a state; see ``Dataset.changeset``."""
    url = dataset.url + '/changeset'
    answer = dataset.client.get(url, {'hash': checks.text('state', state)})
    return checks.member(answer, 'changeset', (list, dict) + six.string_types, url)


def revert(dataset, state):
    """Undo the changes of a state; see ``Dataset.revert``."""
    state = checks.text('state', state)
    url = '{}/revert/{}'.format(dataset.url, quote(six.ensure_str(state), safe=''))
    return run_job(dataset.client, url)


def restore(dataset, amigo_ids):
    """Insert deleted rows again; see ``Dataset.restore``."""
    if isinstance(amigo_ids, (bytes, six.text_type, Mapping)) or not hasattr(amigo_ids, '__iter__'):
        raise AmigoCloudValueError(
            u'amigo_ids must be a list of amigo_ids, not {}.'.format(shown(amigo_ids)))
    if getattr(amigo_ids, 'ndim', 1) != 1:
        raise AmigoCloudValueError(
            "amigo_ids must be a list or a column, not a frame; pass frame['amigo_id'].")
    # An amigo_id that is named twice is restored once.
    amigo_ids = list(collections.OrderedDict.fromkeys(
        checks.sendable_text('amigo_id', amigo_id) for amigo_id in amigo_ids))
    missing = set(amigo_ids) - changes.present_ids(dataset, amigo_ids)
    if not missing:
        return WriteResult(amigo_ids, unchanged=amigo_ids)
    found = {}
    for state in reversed(states(dataset, None, None)):
        rows = _rows_at(dataset, sorted(missing), state)
        found.update(rows)
        missing -= set(rows)
        if not missing:
            break
    if missing:
        raise AmigoCloudValueError(u'No state of {} has the rows {}; nothing was restored.'.format(
            dataset.url, shortened(u', '.join(sorted(missing)))))
    # The rows of an old state may have columns that were dropped since.
    names = {column['name'] for column in dataset.schema()} | {AMIGO_ID}
    inserted = dataset.insert([
        {name: value for name, value in found[amigo_id].items() if name in names}
        for amigo_id in amigo_ids if amigo_id in found]).inserted
    written = set(inserted)
    return WriteResult(amigo_ids, inserted=inserted, unchanged=[
        amigo_id for amigo_id in amigo_ids if amigo_id not in written])


def diff(dataset, old, new):
    """Return the rows that two states differ by; see ``Dataset.diff``."""
    checks.text('old', old)
    if new is not None:
        checks.text('new', new)
    extras.need('pandas', 'pandas')
    import numpy
    import pandas

    from . import frames
    before = _by_amigo_id(dataset.read(state=old).to_dataframe())
    is_left = numpy.zeros(len(before), bool)
    inserted = []
    updated = []
    # Only one snapshot is in memory as a whole.
    for page in frames.each_page(dataset.read(state=new)._all_pages()):
        page = _by_amigo_id(page)
        places = before.index.get_indexer(page.index)
        is_old = places >= 0
        is_left[places[is_old]] = True
        inserted.append(page[~is_old])
        page = page[is_old]
        updated.append(page[_changed(before.take(places[is_old]), page)])
    return Difference(pandas.concat(inserted), pandas.concat(updated), before[~is_left])


def _by_amigo_id(frame):
    if AMIGO_ID not in frame:
        raise AmigoCloudError(u'The response has no column amigo_id.')
    return frame.set_index(AMIGO_ID)


def _changed(before, after):
    """Return which of the rows of two frames with the same index differ, as an array of bool."""
    import numpy
    changed = numpy.zeros(len(after), bool)
    for name in after.columns.union(before.columns, sort=False):
        if name not in before or name not in after:
            # A column that was added or dropped changes the rows that have a value in it.
            changed |= (after if name in after else before)[name].notna().to_numpy(bool)
            continue
        old = before[name]
        new = after[name]
        if old.dtype != new.dtype:
            old = old.astype(object)
            new = new.astype(object)
        is_same = (old == new).fillna(False) | (old.isna() & new.isna())
        changed |= ~is_same.to_numpy(bool)
    return changed


def _rows_at(dataset, amigo_ids, state):
    """Return the rows that exist at a state, by amigo_id."""
    found = {}
    for some in changes.lookups(amigo_ids):
        for row in dataset.read(where='amigo_id IN :ids', params={'ids': some}, state=state):
            found[row['amigo_id']] = row
    return found
