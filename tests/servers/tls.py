"""Certificates made for a test, and recording servers that speak TLS with them."""
import ssl
import subprocess

import pytest


def make_certificate(folder, *names):
    """Makes a certificate that vouches for itself.

    Args:
        folder (py.path.local): where it and its key are written.
        *names (str): the hosts that it is for.

    Returns:
        str: the path of the certificate; its key stands in the same file.
    """
    path = str(folder.join('certificate.pem'))
    alternatives = 'subjectAltName=' + ','.join('DNS:' + name for name in names)
    try:
        subprocess.check_output(['openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2',
                                 '-subj', '/CN=test', '-addext', alternatives, '-keyout', path + '.key', '-out', path],
                                stderr=subprocess.STDOUT)
    except (EnvironmentError, subprocess.CalledProcessError) as error:
        pytest.skip('openssl makes no certificate: {}'.format(error))
    with open(path + '.key') as key, open(path, 'a') as certificate:
        certificate.write(key.read())
    return path


def server_context(certificate):
    """Gives the TLS context of a server with a certificate, whose file holds the key too."""
    context = ssl.SSLContext(getattr(ssl, 'PROTOCOL_TLS_SERVER', ssl.PROTOCOL_SSLv23))
    context.load_cert_chain(certificate)
    return context


def speak_tls(wire, certificate):
    """Has a recording server speak TLS from now on.

    Args:
        wire (Wire): nobody has connected to it yet.
        certificate (str): its certificate, with the key.
    """
    # The handshake is left to the thread of each connection.
    wire.socket = server_context(certificate).wrap_socket(wire.socket, server_side=True, do_handshake_on_connect=False)
    wire.url = wire.url.replace('http://', 'https://')
