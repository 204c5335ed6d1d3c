// A WebSocket origin (package ws), over HTTP/1.1 and on another port over HTTP/2 (RFC 8441). What it
// does on a connection is said by the path; what it has seen is told on request.
'use strict';

const http = require('http');
const http2 = require('http2');
const WebSocket = require('ws');
const { serve } = require('./talk');

const { WebSocketServer, PerMessageDeflate, extension } = WebSocket;

const MAX = 64 * 1024 * 1024;

const seen = { ends: [], open: 0, pongs: 0, floodLeft: -1 };

function protocolOf(offered) {
  return offered.has('b') ? 'b' : false;
}

const plain = { noServer: true, maxPayload: MAX, handleProtocols: protocolOf };
const wss = new WebSocketServer(plain);
const deflating = new WebSocketServer({ ...plain, perMessageDeflate: { threshold: 0 } });

const echo = (ws) => ws.on('message', (data, binary) => ws.send(data, { binary }));

// Sends until nothing more is taken, and goes on as there is room: `n` messages of 64 KiB.
function flood(ws, n) {
  const piece = Buffer.alloc(64 * 1024, 'x');
  let left = n;
  const more = () => {
    while (left > 0 && ws.readyState === ws.OPEN && ws.bufferedAmount < 4 * piece.length) {
      left -= 1;
      ws.send(piece, left === 0 ? () => ws.close(1000) : undefined);
    }
    seen.floodLeft = left;
    if (left > 0 && ws.readyState === ws.OPEN) setTimeout(more, 1);
  };
  more();
}

const behaviours = {
  echo,
  // The first frame leaves with the answer to the handshake.
  early: (ws) => { ws.send('welcome'); echo(ws); },
  headers: (ws, url, req) => {
    ws.send(JSON.stringify({ url: req.url, method: req.method, headers: req.headers,
      version: req.httpVersion }));
  },
  close: (ws, url) => {
    const code = url.searchParams.get('code');
    ws.close(code ? Number(code) : undefined, url.searchParams.get('reason') || undefined);
  },
  die: (ws) => ws.on('message', () => ws._socket.destroy()),
  reset: (ws) => ws.on('message', () => (
    ws._socket.resetAndDestroy ? ws._socket.resetAndDestroy() : ws._socket.close(8))),
  ping: (ws) => {
    ws.on('pong', (data) => { seen.pongs += 1; ws.send(`pong ${data}`); });
    ws.ping('hello');
  },
  flood: (ws, url) => flood(ws, Number(url.searchParams.get('n'))),
  deaf: (ws) => { ws.pause(); seen.deaf = ws; },
};

function refuse(socket, url) {
  const status = Number(url.searchParams.get('status'));
  const body = `no: ${status}`;
  const more = status === 426 ? 'Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n' : '';
  socket.end(`HTTP/1.1 ${status} ${http.STATUS_CODES[status]}\r\nX-Why: because\r\n` +
    `${more}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`);
}

function opened(ws, name, url, req) {
  seen.open += 1;
  ws.on('error', () => {});
  ws.on('close', (code, reason) => {
    seen.open -= 1;
    seen.ends.push({ name, code, reason: reason.toString() });
  });
  behaviours[name](ws, url, req);
}

function onUpgrade(req, socket, head) {
  const url = new URL(req.url, 'http://origin');
  const name = url.pathname.split('/').pop();
  socket.on('error', () => {});
  if (name === 'refuse') {
    refuse(socket, url);
    return;
  }
  socket.cork(); // so that what is sent at once lies behind the head, in one segment
  const server = url.searchParams.has('deflate') ? deflating : wss;
  server.handleUpgrade(req, socket, head, (ws) => opened(ws, name, url, req));
  process.nextTick(() => socket.uncork());
}

// The same on a stream of HTTP/2, which the package does not do by itself.
function deflateOn(ws, offers) {
  if (!offers) return {};
  const deflate = new PerMessageDeflate({ threshold: 0, isServer: true, maxPayload: MAX });
  deflate.accept(extension.parse(offers)[PerMessageDeflate.extensionName]);
  ws._extensions[PerMessageDeflate.extensionName] = deflate;
  return { 'sec-websocket-extensions':
    extension.format({ [PerMessageDeflate.extensionName]: [deflate.params] }) };
}

function onStream(stream, headers) {
  const url = new URL(headers[':path'], 'http://origin');
  const name = url.pathname.split('/').pop();
  stream.on('error', () => {});
  if (headers[':protocol'] !== 'websocket' || name === 'refuse') {
    const status = Number(url.searchParams.get('status') || 404);
    stream.respond({ ':status': status, 'x-why': 'because' });
    stream.end(`no: ${status}`);
    return;
  }
  const ws = new WebSocket(null, undefined, { autoPong: true, closeTimeout: 30000 });
  const offered = (headers['sec-websocket-protocol'] || '').split(/, */);
  stream.respond({
    ':status': 200,
    ...(offered.includes('b') ? { 'sec-websocket-protocol': 'b' } : {}),
    ...deflateOn(ws, url.searchParams.has('deflate') && headers['sec-websocket-extensions']),
  });
  ws.setSocket(stream, Buffer.alloc(0), { maxPayload: MAX, allowSynchronousEvents: true });
  opened(ws, name, url, { url: headers[':path'], method: headers[':method'], headers,
    httpVersion: '2.0' });
}

const server2 = http2.createServer({
  settings: { enableConnectProtocol: true }, maxSessionMemory: 256,
});
server2.on('stream', onStream);
// One that speaks HTTP/2 and does not know of tunnels.
const plain2 = http2.createServer((req, res) => res.end('plain'));

function listen(what) {
  return new Promise((resolve) => {
    what.listen(0, '127.0.0.1', 4096, () => resolve(what.address().port));
  });
}

const server = http.createServer((req, res) => res.end(`plain ${req.method} ${req.url}`));
server.on('upgrade', onUpgrade);

serve({
  listen: async () => ({
    port: await listen(server), port2: await listen(server2), plain2: await listen(plain2),
  }),
  // What has happened since `forget`.
  seen: () => ({ ends: seen.ends, open: seen.open, pongs: seen.pongs, floodLeft: seen.floodLeft }),
  forget: () => { Object.assign(seen, { ends: [], pongs: 0, floodLeft: -1 }); },
  // Goes on reading on the last connection that did not.
  listenAgain: () => new Promise((resolve) => {
    let n = 0;
    seen.deaf.on('message', (data) => { n += data.length; });
    seen.deaf.on('close', (code) => resolve({ n, code }));
    seen.deaf.resume();
  }),
});
