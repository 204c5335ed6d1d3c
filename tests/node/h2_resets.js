// A server of HTTP/2 in clear on 127.0.0.1, written by hand, that resets each stream with the code
// and at the point that it was told: real servers end a stream in order, or not at all.
'use strict';

const net = require('net');
const { serve } = require('./talk');

const PREFACE = 24;
const DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6;
const ACK = 1, END_HEADERS = 4;

// ":status: 200" and "content-type: application/grpc", as HPACK.
const HEAD = Buffer.concat([Buffer.from([0x88, 0x0f, 0x10, 16]), Buffer.from('application/grpc')]);
const EMPTY_MESSAGE = Buffer.alloc(5);

let behaviour = { code: 2, after: 'nothing' };

function frame(type, flags, id, payload) {
  const head = Buffer.alloc(9);

  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, payload]);
}

// What goes out for a request: all but the reset, and a turn later that.
function answer(socket, id) {
  const { code, after } = behaviour;
  const word = Buffer.alloc(4);

  word.writeUInt32BE(code);
  if (after !== 'nothing') socket.write(frame(HEADERS, END_HEADERS, id, HEAD));
  if (after === 'message') socket.write(frame(DATA, 0, id, EMPTY_MESSAGE));
  setTimeout(() => socket.write(frame(RST_STREAM, 0, id, word)), after === 'nothing' ? 0 : 20);
}

function onConnection(socket) {
  let held = Buffer.alloc(0);
  let greeted = false;

  socket.on('error', () => {});
  socket.setNoDelay(true);
  socket.write(frame(SETTINGS, 0, 0, Buffer.alloc(0)));
  socket.on('data', (bytes) => {
    held = Buffer.concat([held, bytes]);
    if (!greeted && held.length >= PREFACE) {
      greeted = true;
      held = held.subarray(PREFACE);
    }
    while (greeted && held.length >= 9 && held.length >= 9 + held.readUIntBE(0, 3)) {
      const length = held.readUIntBE(0, 3);
      const payload = held.subarray(9, 9 + length);

      if (held[3] === HEADERS) answer(socket, held.readUInt32BE(5));
      if (held[3] === SETTINGS && held[4] !== ACK) {
        socket.write(frame(SETTINGS, ACK, 0, Buffer.alloc(0)));
      }
      if (held[3] === PING && held[4] !== ACK) socket.write(frame(PING, ACK, 0, payload));
      held = held.subarray(9 + length);
    }
  });
}

serve({
  listen: () => new Promise((resolve) => {
    const server = net.createServer(onConnection);
    server.listen(0, '127.0.0.1', () => resolve({ port: server.address().port }));
  }),
  // For the streams that come: { code, after: "nothing", "head" or "message" }.
  behave: (how) => { behaviour = how; },
});
