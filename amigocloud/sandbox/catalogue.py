"""What PostGIS tells of its schema and coordinate systems, as far as GDAL's AmigoCloud driver asks for it."""
_WGS84 = ('GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
          'UNIT["degree",0.0174532925199433],AUTHORITY["EPSG","4326"]]')
_WEB_MERCATOR = ('PROJCS["WGS 84 / Pseudo-Mercator",' + _WGS84 + ',PROJECTION["Mercator_1SP"],'
                 'PARAMETER["central_meridian",0],PARAMETER["scale_factor",1],PARAMETER["false_easting",0],'
                 'PARAMETER["false_northing",0],UNIT["metre",1],AUTHORITY["EPSG","3857"]]')


def prepare(connection):
    """Make the table of coordinate systems and the functions of the catalogue."""
    connection.create_function('current_schema', 0, lambda: 'public', deterministic=True)
    connection.create_function('find_srid', 3, lambda schema, table, column: 4326, deterministic=True)
    connection.execute('CREATE TABLE IF NOT EXISTS spatial_ref_sys (srid INTEGER PRIMARY KEY, auth_name TEXT, '
                       'auth_srid INTEGER, srtext TEXT)')
    connection.executemany("INSERT OR IGNORE INTO spatial_ref_sys VALUES (?1, 'EPSG', ?1, ?2)",
                           [(4326, _WGS84), (3857, _WEB_MERCATOR)])
