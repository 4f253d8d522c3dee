"""TLS for urllib3: certificates are loaded once, and a failed handshake counts as not connected."""
from __future__ import absolute_import

import os
import socket
import ssl

import six
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

# The modification time and the context by the path of the certificates. Loading them takes longer
# than a handshake.
_contexts = {}


class Pool(HTTPSConnectionPool):
    """Connections to one host, of the class that tools such as vcrpy may replace in urllib3."""

    def _validate_conn(self, conn):
        # urllib3 connects in this method, before it sends the request. It has no public hook there.
        try:
            _share_context(conn)
            super(Pool, self)._validate_conn(conn)
        except socket.timeout as error:
            message = 'The TLS handshake timed out: {}'.format(error)
            six.raise_from(ConnectTimeoutError(conn, message), error)
        except EnvironmentError as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                raise
            message = 'The TLS handshake failed: {}'.format(error)
            six.raise_from(NewConnectionError(conn, message), error)


def _share_context(conn):
    """Give a connection the context that has its certificates loaded."""
    place = conn.ca_certs or conn.ca_cert_dir
    # The context does not cover an HTTPS proxy, which is checked with these certificates.
    # Connections of urllib3 before 1.26 have no attribute for a proxy.
    proxy = getattr(conn, 'proxy', None)
    is_checked = resolve_cert_reqs(conn.cert_reqs) == ssl.CERT_REQUIRED
    if not place or conn.cert_file or proxy or not is_checked:
        return
    changed = os.stat(place).st_mtime
    known, context = _contexts.get(place, (None, None))
    if known != changed:
        context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
        context.load_verify_locations(conn.ca_certs, conn.ca_cert_dir)
        _contexts[place] = (changed, context)
    conn.ssl_context = context
    conn.ca_certs = None
    conn.ca_cert_dir = None
