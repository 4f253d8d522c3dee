"""A TCP relay that adds a round-trip time: python relay.py PORT SECONDS; prints the port on which it listens.

What comes is passed on half a round trip later, in both directions; what comes first on a connection also waits for the
round trip in which TCP would have connected.
"""
import queue
import socket
import sys
import threading
import time


def pass_on(source, target, delay, first):
    """Passes on what comes, each piece ``delay`` seconds after it came; the first ``first`` seconds later still."""
    pieces = queue.SimpleQueue()

    def read():
        late = first
        while True:
            try:
                piece = source.recv(1 << 18)
            except OSError:
                piece = b''
            pieces.put((time.monotonic() + delay + late, piece))
            late = 0
            if not piece:
                return

    threading.Thread(target=read, daemon=True).start()
    while True:
        due, piece = pieces.get()
        time.sleep(max(0, due - time.monotonic()))
        try:
            if not piece:
                return target.shutdown(socket.SHUT_WR)
            target.sendall(piece)
        except OSError:
            return None


def main(port, seconds):
    listener = socket.create_server(('127.0.0.1', 0), backlog=128)
    print(listener.getsockname()[1], flush=True)
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(('127.0.0.1', port))
        for end in (client, server):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for arguments in ((client, server, seconds / 2, seconds), (server, client, seconds / 2, 0)):
            threading.Thread(target=pass_on, args=arguments, daemon=True).start()


if __name__ == '__main__':
    main(int(sys.argv[1]), float(sys.argv[2]))
