"""TCP servers that speak less, or worse, than HTTP."""
import socket
import threading


class RawServer(object):
    """A TCP server that leaves each connection to ``handle`` and closes it."""

    def __init__(self):
        self.socket = socket.socket()
        self.socket.bind(('127.0.0.1', 0))
        self.socket.listen(16)
        self.host = '127.0.0.1:{}'.format(self.socket.getsockname()[1])
        self.url = 'http://' + self.host
        self.connections = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.daemon = True
        self.thread.start()

    def run(self):
        while True:
            connection = self.socket.accept()[0]
            self.connections += 1
            self.handle(connection)
            connection.close()


class Raw(RawServer):
    """Answers each request with the same bytes."""

    def __init__(self, answer):
        self.answer = answer
        RawServer.__init__(self)

    def handle(self, connection):
        data = b''
        while b'\r\n\r\n' not in data:
            data += connection.recv(65536)
        connection.sendall(self.answer)
        connection.shutdown(socket.SHUT_WR)
        connection.recv(65536)
