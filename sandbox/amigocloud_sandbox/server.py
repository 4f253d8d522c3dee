"""Serving: gevent's WSGI server with the REST API and Socket.IO behind it."""
import signal
import socket

import gevent
from gevent import pywsgi
from gevent.event import Event
from geventwebsocket.handler import WebSocketHandler

from . import events, seed
from .cloud import Cloud
from .rest.answers import API, SECOND_API
from .rest.app import make_app

#: The service takes request lines of 64 kB, gevent by itself 8.
pywsgi.MAX_REQUEST_LINE = 65536


class _Server(pywsgi.WSGIServer):
    def handle(self, client_socket, address):
        # Otherwise a client that keeps its connection waits 40 ms for the second half of each answer.
        client_socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        super().handle(client_socket, address)


class _Handler(WebSocketHandler):
    def get_environ(self):
        # An answer that is lost on purpose needs its connection.
        return dict(super().get_environ(), **{'sandbox.connection': self.socket})


def serve(host, port, folder, announce, wait=None, **settings):
    """Serve the AmigoCloud that is kept in a folder; one that is new gets the sandbox's world.

    Args:
        host (str): the address to listen at.
        port (int): the port; 0 for a free one.
        folder (str): where everything is kept.
        announce (callable): called, once requests are answered, with what `seed.describe` tells of the world.
        wait (callable): serving ends when it returns, too; it is run in a thread. Without it serving ends with Ctrl-C,
            and always with a signal to terminate.
        settings: for `Cloud`.
    """
    cloud = Cloud(folder, **settings)
    server = _Server((host, port), _application(cloud), handler_class=_Handler, log=None)
    stopped = Event()
    # An exception would be raised in any request that is being answered.
    for number in (signal.SIGTERM,) if wait else (signal.SIGINT, signal.SIGTERM):
        gevent.signal_handler(number, stopped.set)
    try:
        server.start()
        announce(seed.describe(cloud, 'http://{}:{}'.format('[{}]'.format(host) if ':' in host else host,
                                                            server.server_port)))
        if wait:
            gevent.get_hub().threadpool.spawn(wait).rawlink(lambda _: stopped.set())
        stopped.wait()
    finally:
        server.stop(timeout=0)
        cloud.close()


def _application(cloud):
    rest = make_app(cloud)

    def application(environ, start_response):
        is_event = environ['PATH_INFO'].startswith(events.PATH)
        if environ['PATH_INFO'].startswith(SECOND_API + '/'):
            environ.update({'sandbox.second': True, 'PATH_INFO': API + environ['PATH_INFO'][len(SECOND_API):]})
        return (cloud.events.wsgi if is_event else rest)(environ, start_response)

    return application
