// A Socket.IO 2 server of /amigosocket that does what its standard input says, a JSON object a line; see events.py.
'use strict';

const http = require('http');
const readline = require('readline');
const socketio = require('socket.io');

const port = Number(process.argv[2]);
const options = JSON.parse(process.argv[3]);
const tell = (news) => process.stdout.write(JSON.stringify(news) + '\n');

const web = http.createServer();
const server = socketio(web, {
  path: '/v2_socket.io/socket.io',
  pingInterval: options.ping_interval * 1000,
  pingTimeout: options.ping_timeout * 1000,
  transports: options.polling ? ['polling'] : ['polling', 'websocket'],
  serveClient: false,
  cookie: false,
});
const namespace = server.of('/amigosocket');
let refusal = {};

function obey(socket, command) {
  const actions = {
    emit: () => socket.emit(command.event, ...command.arguments),
    ask: () => socket.emit(command.event, ...command.arguments, () => {}),
    binary: () => socket.emit('binary', Buffer.from([0, 1])),
    raw: () => socket.conn.send(command.text),
    error: () => socket.error(command.payload),
    leave: () => socket.disconnect(false),
    close: () => socket.conn.close(),
  };
  actions[command.do]();
}

namespace.on('connection', (socket) => {
  if (options.welcome) socket.emit('welcome', { first: true });
  tell({ news: 'entered' });
  socket.on('authenticate', (payload) => {
    tell({ news: 'authenticate', payload, transport: socket.conn.transport.name });
    if (refusal.do) obey(socket, refusal);
  });
  socket.on('disconnect', () => tell({ news: 'gone' }));
});

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line);
  if (command.do === 'refuse') {
    refusal = command.how;
  } else {
    Object.values(namespace.connected).forEach((socket) => obey(socket, command));
  }
  tell({ news: 'done' });
}).on('close', () => process.exit(0));

web.listen(port, '127.0.0.1', () => tell({ news: 'listening', port: web.address().port }));
