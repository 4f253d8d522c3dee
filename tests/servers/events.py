"""A python-socketio server of /amigosocket that does what its standard input says, a JSON object a line.

It runs in a Python 3 of its own, so that the tests of Python 2.7 have it too. Arguments: the port (0 for any) and a
JSON object with ping_interval and ping_timeout in seconds, polling (true: no websocket) and welcome (true: an event for
each client that enters).
"""
import json
import sys

import gevent
import socketio
from gevent.fileobject import FileObjectThread
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler
from socketio.packet import ERROR, Packet

PATH = '/amigosocket'


def tell(**news):
    sys.stdout.write(json.dumps(news) + '\n')
    sys.stdout.flush()


def main(port, options):
    server = socketio.Server(
        async_mode='gevent', cookie=None, ping_interval=options['ping_interval'], ping_timeout=options['ping_timeout'],
        allow_upgrades=not options['polling'], cors_allowed_origins='*')
    members = set()
    refusal = {}

    def disconnect(sid):
        members.discard(sid)
        tell(news='gone')

    def connect(sid, environ):
        members.add(sid)
        if options['welcome']:
            server.emit('welcome', {'first': True}, to=sid, namespace=PATH)
        tell(news='entered')

    def authenticate(sid, payload):
        tell(news='authenticate', payload=payload, transport=server.transport(sid))
        if refusal:
            obey(sid, **refusal)

    def obey(sid, do, event=None, arguments=(), payload=None, text=None):
        if do == 'emit':
            server.emit(event, tuple(arguments), to=sid, namespace=PATH)
        elif do == 'ask':
            server.emit(event, tuple(arguments), to=sid, namespace=PATH, callback=lambda *answer: None)
        elif do == 'binary':
            server.emit('binary', b'\x00\x01', to=sid, namespace=PATH)
        elif do == 'raw':
            server.eio.send(sid, text)
        elif do == 'error':
            server._send_packet(sid, Packet(ERROR, namespace=PATH, data=payload))
        elif do == 'leave':
            server.disconnect(sid, namespace=PATH)
        elif do == 'close':
            # Without waiting for a poll that takes what is left, which may never come.
            server.eio._get_socket(sid).close(wait=False)

    server.on('connect', connect, namespace=PATH)
    server.on('disconnect', disconnect, namespace=PATH)
    server.on('authenticate', authenticate, namespace=PATH)
    web = WSGIServer(('127.0.0.1', port), socketio.WSGIApp(server, socketio_path='v2_socket.io/socket.io'),
                     handler_class=WebSocketHandler, log=None)
    web.start()
    tell(news='listening', port=web.server_port)
    for line in FileObjectThread(sys.stdin.buffer):
        command = json.loads(line)
        if command['do'] == 'refuse':
            refusal.clear()
            refusal.update(command['how'])
            tell(news='done')
            continue
        for sid in list(members):
            gevent.spawn(obey, sid, **command).join()
        tell(news='done')


if __name__ == '__main__':
    main(int(sys.argv[1]), json.loads(sys.argv[2]))
