"""A Socket.IO server that sends as fast as it can: python event_server.py; prints the port on which it listens.

What a client asks for by ``burst`` (a number of events) is packed beforehand, all but the first, and written to its
websocket in one go, so that the client is what is measured. Of those asked for by ``single`` there is one every 5 ms.
Each event carries the time at which it was packed.
"""
import json
import struct
import time

import gevent
import socketio
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler

PATH = '/amigosocket'
sockets = []


class Handler(WebSocketHandler):
    """Remembers the socket of the latest websocket."""

    def upgrade_connection(self):
        sockets.append(self.socket)
        return super().upgrade_connection()


def frame(number):
    """A websocket frame with an event as the service sends it."""
    event = ['realtime', {'data': [{'vehicle': number, 'location': 'SRID=4326;POINT(-118.25 34.05)', 'speed': 12.5}],
                          'sent': time.time()}]
    text = '42{},{}'.format(PATH, json.dumps(event)).encode()
    return struct.pack('>BBH', 0x81, 126, len(text)) + text


def main():
    server = socketio.Server(async_mode='gevent', cors_allowed_origins='*')

    def burst(sid, count):
        others = b''.join(frame(number) for number in range(1, count))
        sockets[-1].sendall(frame(0) + others)

    def single(sid, count):
        for number in range(count):
            sockets[-1].sendall(frame(number))
            gevent.sleep(0.005)

    server.on('burst', burst, namespace=PATH)
    server.on('single', single, namespace=PATH)
    web = WSGIServer(('127.0.0.1', 0), socketio.WSGIApp(server, socketio_path='v2_socket.io/socket.io'),
                     handler_class=Handler, log=None)
    web.start()
    print(web.server_port, flush=True)
    web.serve_forever()


if __name__ == '__main__':
    main()
