"""TLS for urllib3: certificates that are loaded once, and a handshake that fails told from an answer that is lost."""
from __future__ import absolute_import

import os
import socket
import ssl

import six
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

# By the file or folder of certificates: when it was changed, and the context. Loading takes longer than a handshake.
_contexts = {}


class Pool(HTTPSConnectionPool):
    """Connections to one host, of the class that urllib3 (or whoever replaces it there, such as vcrpy) uses."""

    def _validate_conn(self, conn):
        # urllib3 has no public hook for this: it connects here, before anything of the request is sent.
        try:
            _share_context(conn)
            super(Pool, self)._validate_conn(conn)
        except socket.timeout as error:
            six.raise_from(ConnectTimeoutError(conn, 'The TLS handshake timed out: {}'.format(error)), error)
        except EnvironmentError as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                raise
            six.raise_from(NewConnectionError(conn, 'The TLS handshake failed: {}'.format(error)), error)


def _share_context(conn):
    place = conn.ca_certs or conn.ca_cert_dir
    # A proxy that speaks TLS is checked by the certificates that are named here, not by the context. Connections of
    # urllib3 before 1.26 know of no proxy.
    proxy = getattr(conn, 'proxy', None)
    if not place or conn.cert_file or proxy or resolve_cert_reqs(conn.cert_reqs) != ssl.CERT_REQUIRED:
        return
    changed = os.stat(place).st_mtime
    known, context = _contexts.get(place, (None, None))
    if known != changed:
        context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
        context.load_verify_locations(conn.ca_certs, conn.ca_cert_dir)
        _contexts[place] = changed, context
    conn.ssl_context, conn.ca_certs, conn.ca_cert_dir = context, None, None
