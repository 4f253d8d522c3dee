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


class Connection(HTTPSConnectionPool.ConnectionCls):
    """A connection of urllib3."""

    def connect(self):
        try:
            self._share_context()
            super(Connection, self).connect()
        except socket.timeout as error:
            six.raise_from(ConnectTimeoutError(self, 'The TLS handshake timed out: {}'.format(error)), error)
        except EnvironmentError as error:
            if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                raise
            six.raise_from(NewConnectionError(self, 'The TLS handshake failed: {}'.format(error)), error)

    def _share_context(self):
        place = self.ca_certs or self.ca_cert_dir
        # A proxy that speaks TLS is checked by the certificates that are named here, not by the context.
        if not place or self.cert_file or self.proxy or resolve_cert_reqs(self.cert_reqs) != ssl.CERT_REQUIRED:
            return
        changed = os.stat(place).st_mtime
        known, context = _contexts.get(place, (None, None))
        if known != changed:
            context = create_urllib3_context(cert_reqs=ssl.CERT_REQUIRED)
            context.load_verify_locations(self.ca_certs, self.ca_cert_dir)
            _contexts[place] = changed, context
        self.ssl_context, self.ca_certs, self.ca_cert_dir = context, None, None


class Pool(HTTPSConnectionPool):
    """Connections to one host."""

    ConnectionCls = Connection
