"""The file that ``Cursor.to_file`` writes, with its companion files."""
from __future__ import absolute_import

import io
import itertools
import os
import shutil
import tempfile

import six

from ..exceptions import AmigoCloudError, AmigoCloudValueError, shortened, shown

# Endings that several GDAL drivers claim.
_DRIVERS = {'.gdb': 'OpenFileGDB', '.json': 'GeoJSON', '.kml': 'KML'}
# The names of the columns that a driver adds, and the options that change these names.
_OWN_COLUMNS = {'GPKG': {'FID': 'fid', 'GEOMETRY_NAME': 'geom'},
                'SQLITE': {'GEOMETRY_NAME': 'geometry'}}
# Formats whose files can have several layers.
_CONTAINERS = ('GPKG', 'SQLITE', 'OPENFILEGDB', 'LIBKML', 'XLSX', 'ODS')
# The endings of the companion files.
_COMPANIONS = {'.shp': ('.shx', '.dbf', '.prj', '.cpg', '.qpj', '.qix', '.sbn', '.sbx', '.idm',
                        '.ind'), '.tab': ('.dat', '.map', '.id', '.ind'), '.mif': ('.mid',),
               '.gml': ('.xsd', '.gfs'), '.csv': ('.csvt', '.prj')}
# The kinds of dtypes of numpy that a column of numbers in a layer can keep, by its own kind.
_KINDS = {'i': 'biu', 'u': 'biu', 'f': 'biuf'}
# Free space that a write must leave on the disk: more than GDAL buffers.
_SPARE_BYTES = 1 << 20


class TableFile(object):
    """The destination of ``Cursor.to_file``, which is replaced when the new file is complete.

    Args:
        path (str or os.PathLike): the path of the caller. A virtual path of GDAL, such as
            ``/vsimem/x``, and an open file are written directly.
        settings (dict): arguments of ``pyogrio.write_dataframe``.

    Raises:
        AmigoCloudValueError: no file can be written there.
    """

    def __init__(self, path, settings):
        self._settings = dict(settings)
        self._name = path
        self._path = None
        if isinstance(path, (bytes, six.text_type, os.PathLike)):
            path = os.fsdecode(path)
            self._choose_driver(path)
            if not path.startswith('/vsi') and '://' not in path:
                self._path = self._checked(path)
        elif not hasattr(path, 'write'):
            raise AmigoCloudValueError(
                u'path must be a str or os.PathLike, not {}.'.format(shown(path)))

    def write(self, frame, geometries):
        """Write a frame, of which some columns are geometry.

        Args:
            frame (pandas.DataFrame): the table.
            geometries (list of str): the names of its geometry columns.
        """
        settings = self._settings
        path = self._path or self._name
        if settings.get('append') and not hasattr(path, 'write'):
            self._check_layer(frame, path)
        # GDAL ignores the case of driver names.
        driver = str(settings.get('driver')).upper()
        options = {name.upper(
            ) for name in list(settings) + list(settings.get('layer_options') or {})}
        if driver == 'CSV' and geometries and 'GEOMETRY' not in options:
            settings['GEOMETRY'] = 'AS_WKT'
        elif driver in ('XLSX', 'ODS') and geometries:
            frame = _with_wkt(frame, geometries)
        taken = {str(name).lower() for name in frame.columns if name not in geometries[:1]}
        for option, own in _OWN_COLUMNS.get(driver, {}).items():
            if own in taken and option not in options:
                settings[option] = next(name for name in map(
                    (own + '_{}').format, itertools.count(1)) if name not in taken)
        if self._path is None:
            self._write(frame, self._name, '')
            return
        folder, name = os.path.split(self._path)
        try:
            part = tempfile.mkdtemp('.part', '.', folder)
            try:
                if settings.get('append') or driver in _CONTAINERS:
                    self._copy(folder, part)
                self._write(frame, os.path.join(part, name), part)
                self._check_name(part, name)
                _check_space(part)
                self._move(part, folder)
            finally:
                shutil.rmtree(part)
        except EnvironmentError as error:
            six.raise_from(self._error(error), error)

    def _choose_driver(self, path):
        import pyogrio
        if self._settings.get('driver') is None:
            ending = os.path.splitext(path)[1].lower()
            try:
                self._settings['driver'] = _DRIVERS.get(ending) or pyogrio.detect_write_driver(path)
            except ValueError as error:
                six.raise_from(AmigoCloudValueError(
                    u'The ending of {} selects no format. Use one such as .geojson, .gpkg, .shp or '
                    u'.csv, or pass driver.'.format(shown(path))), error)

    def _checked(self, path):
        """Return the path without symbolic links, after checking that it can be written."""
        try:
            path = os.path.realpath(path)
            exists = _exists(path)
        except (EnvironmentError, ValueError) as error:
            # For example, the name is too long.
            six.raise_from(AmigoCloudValueError(u'No file can be written to {}: {:.200}'.format(
                shown(path), getattr(error, 'strerror', None) or str(error))), error)
        folder = os.path.dirname(path)
        if not os.path.isdir(folder):
            raise AmigoCloudValueError(u'The folder of {} does not exist.'.format(shown(path)))
        if not os.access(folder, os.W_OK):
            raise AmigoCloudValueError(u'The folder of {} is read-only.'.format(shown(path)))
        if os.path.isdir(path):
            if not path.lower().endswith('.gdb'):
                raise AmigoCloudValueError(
                    u'{} is a folder; pass the path of a file.'.format(shown(path)))
        elif exists and not os.path.isfile(path):
            raise AmigoCloudValueError(u'{} exists and is not a regular file.'.format(shown(path)))
        for log in (path + '-wal', path + '-journal'):
            if os.path.exists(log):
                # SQLite keeps rows there that are not yet in the file.
                raise AmigoCloudValueError(u'{} is open in another program, as {} shows; close it '
                                           u'there first.'.format(shown(path), shown(log)))
        return path

    def _names(self):
        """Return the names of the companion files and of the file."""
        name = os.path.basename(self._path)
        stem, ending = os.path.splitext(name)
        return [stem + other for other in _COMPANIONS.get(ending.lower(), ())] + [name]

    def _copy(self, folder, part):
        # GDAL keeps the other layers of the copy, or appends to the layer.
        for name in self._names():
            old = os.path.join(folder, name)
            new = os.path.join(part, name)
            if os.path.isdir(old):
                shutil.copytree(old, new)
            elif os.path.exists(old):
                shutil.copy(old, new)

    def _write(self, frame, path, part):
        import pyogrio
        try:
            pyogrio.write_dataframe(frame, path, **self._settings)
        except Exception as error:
            # pyogrio, pandas and pyarrow raise exceptions of many classes here.
            six.raise_from(self._error(str(error).replace(os.path.join(part, ''), '')), error)

    def _check_layer(self, frame, path):
        """Raise if GDAL would change the rows to append them to the layer of a file."""
        import pyogrio
        stem = os.path.splitext(os.path.basename(path))[0]
        try:
            layer = pyogrio.read_info(path, layer=self._settings.get('layer', stem))
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError):
            # There is no such file or layer yet.
            return
        crs = getattr(frame, 'crs', None)
        if crs is not None and layer['crs'] is not None and crs != layer['crs']:
            raise AmigoCloudValueError(
                u'The coordinate system of the rows is {}, and that of the layer in {} is {}. '
                u'Transform the rows with ST_Transform in the SQL.'.format(
                    shortened(crs.name), shown(self._name), shortened(str(layer['crs']))))
        for name, dtype in zip(layer['fields'], layer['dtypes']):
            kept = _KINDS.get(_numpy_kind(dtype))
            if name in frame and kept and _numpy_kind(frame[name].dtype) not in kept:
                raise AmigoCloudValueError(
                    u'The column {} is of the dtype {}, and that of the layer in {} is {}. Cast it '
                    u'in the SQL.'.format(
                        shown(name), frame[name].dtype, shown(self._name), dtype))

    def _check_name(self, part, name):
        """Raise unless GDAL created the file that the caller named."""
        made = os.listdir(part)
        if name not in made:
            # Some GDAL drivers write endings in lower case only.
            twin = next((other for other in made if other.lower() == name.lower()), None)
            if twin is None:
                raise self._error(u'without geometry, or with this driver, GDAL writes {} instead; '
                                  u'pass that name.'.format(u' and '.join(
                                      sorted(made, key=os.path.splitext)) or u'no file'))
            os.rename(os.path.join(part, twin), os.path.join(part, name))

    def _move(self, part, folder):
        made = os.listdir(part)
        for name in self._names():
            old = os.path.join(folder, name)
            if os.path.isdir(old):
                # A folder cannot be replaced in one step.
                os.rename(old, tempfile.mkdtemp(dir=part))
            elif os.path.exists(old) and name in made:
                shutil.copymode(old, os.path.join(part, name))
            elif os.path.exists(old):
                os.remove(old)
        # The file itself comes last, because programs that see it read its companions too.
        for name in sorted(made, key=os.path.basename(self._path).__eq__):
            os.replace(os.path.join(part, name), os.path.join(folder, name))

    def _error(self, reason):
        return AmigoCloudError(
            u'{} cannot be written: {:.500}'.format(shown(self._name), str(reason)))


def _check_space(folder):
    """Raise if the disk is full: the drivers for KML and shapefiles do not notice it."""
    path = os.path.join(folder, '.space')
    with io.open(path, 'wb') as spare:
        spare.write(os.urandom(_SPARE_BYTES))
    os.remove(path)


def _numpy_kind(dtype):
    """Return the kind of the dtype of numpy that a dtype of pandas or of numpy is about."""
    import numpy
    return getattr(getattr(dtype, 'numpy_dtype', dtype), 'kind', None) or numpy.dtype(dtype).kind


def _exists(path):
    try:
        os.lstat(path)
    except FileNotFoundError:
        return False
    return True


def _with_wkt(frame, geometries):
    import pandas
    return pandas.DataFrame({name: column.to_wkt() if name in geometries else column for name,
                             column in frame.items()})
