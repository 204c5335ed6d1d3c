// WebSocket clients (package ws) over HTTP/1.1 and, by extended CONNECT (RFC 8441), over HTTP/2,
// each plain or over TLS. Connections over HTTP/2 share a session by its name.
'use strict';

const fs = require('fs');
const http2 = require('http2');
const WebSocket = require('ws');

const { PerMessageDeflate, extension } = WebSocket;

const MAX = 64 * 1024 * 1024;

// The name of the certificate, and where it is.
const lookup = (host, options, done) => (
  options.all ? done(null, [{ address: '127.0.0.1', family: 4 }]) : done(null, '127.0.0.1', 4));

class Refused extends Error {
  constructor(status, headers, body) {
    super(`refused: ${status}`);
    Object.assign(this, { status, headers, body });
  }
}

function read(stream) {
  return new Promise((resolve) => {
    let body = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk) => { body += chunk; });
    stream.on('error', () => resolve(body));
    stream.on('end', () => resolve(body));
  });
}

// Messages wait in line until somebody asks: ws.next() gives the next one, { data, binary }, or
// { code, reason } at the end.
function inbox(ws) {
  const items = [];
  const askers = [];
  let end;
  const give = () => {
    while (askers.length > 0 && (items.length > 0 || end)) askers.shift()(items.shift() || end);
  };
  ws.on('error', () => {});
  ws.on('message', (data, binary) => { items.push({ data, binary }); give(); });
  ws.on('close', (code, reason) => { end = { code, reason: reason.toString() }; give(); });
  ws.next = () => new Promise((resolve) => { askers.push(resolve); give(); });
  return ws;
}

function overHttp1(to) {
  const scheme = to.transport === 'h1s' ? 'wss' : 'ws';
  const ws = inbox(new WebSocket(`${scheme}://localhost:${to.port}${to.path}`, to.protocols || [], {
    headers: to.headers || {},
    maxPayload: MAX,
    perMessageDeflate: to.deflate ? { threshold: 0 } : false,
    ca: to.ca && fs.readFileSync(to.ca),
    lookup,
    finishRequest: (req) => {
      if (to.version) req.setHeader('Sec-WebSocket-Version', to.version);
      req.end();
    },
  }));
  return new Promise((resolve, reject) => {
    let answer = {};
    ws.on('upgrade', (res) => { answer = { status: res.statusCode, headers: res.headers }; });
    ws.on('open', () => resolve({ ws, ...answer }));
    ws.on('error', reject);
    ws.on('unexpected-response', async (req, res) => {
      reject(new Refused(res.statusCode, res.headers, await read(res)));
    });
  });
}

const sessions = new Map();

function sessionOf(to) {
  const key = `${to.transport} ${to.port} ${to.session || ''}`;
  const old = sessions.get(key);
  if (old && !old.closed && !old.destroyed) return old;
  const session = http2.connect(
    `${to.transport === 'h2s' ? 'https' : 'http'}://localhost:${to.port}`,
    { ca: to.ca && fs.readFileSync(to.ca), lookup, maxSessionMemory: 256 });
  session.on('error', () => {});
  sessions.set(key, session);
  return session;
}

// The server has said that it takes extended CONNECTs.
function greeted(session) {
  const ready = () => session.remoteSettings && session.remoteSettings.enableConnectProtocol;
  return new Promise((resolve, reject) => {
    if (ready()) { resolve(); return; }
    session.once('close', () => reject(new Error('the session ended')));
    session.once('remoteSettings', () => (
      ready() ? resolve() : reject(new Error('no extended CONNECT'))));
  });
}

function connectFields(to, deflate) {
  const fields = {
    ':method': 'CONNECT',
    ':protocol': to.protocol || 'websocket',
    ':path': to.path,
    'sec-websocket-version': to.version || '13',
    ...to.headers,
  };
  if (to.protocols) fields['sec-websocket-protocol'] = to.protocols.join(',');
  if (to.deflate) {
    fields['sec-websocket-extensions'] =
      extension.format({ [PerMessageDeflate.extensionName]: deflate.offer() });
  }
  return fields;
}

// A ws on a stream of HTTP/2, which the package does not make by itself.
function onStream(stream, headers, deflate) {
  const ws = inbox(new WebSocket(null, undefined, { autoPong: true, closeTimeout: 30000 }));
  const said = headers['sec-websocket-extensions'];
  ws._isServer = false;
  ws._protocol = headers['sec-websocket-protocol'] || '';
  if (said) {
    deflate.accept(extension.parse(said)[PerMessageDeflate.extensionName]);
    ws._extensions[PerMessageDeflate.extensionName] = deflate;
  }
  ws.setSocket(stream, Buffer.alloc(0), { maxPayload: MAX, allowSynchronousEvents: true });
  return ws;
}

async function overHttp2(to) {
  const session = sessionOf(to);
  const deflate = new PerMessageDeflate({ threshold: 0, isServer: false, maxPayload: MAX });
  await greeted(session);
  const stream = session.request(connectFields(to, deflate), { endStream: false });
  return new Promise((resolve, reject) => {
    stream.on('error', reject);
    stream.on('response', async (headers) => {
      const status = headers[':status'];
      if (status === 200) {
        resolve({ ws: onStream(stream, headers, deflate), status, headers, session });
      } else {
        const body = await read(stream);
        stream.close();
        reject(new Refused(status, headers, body));
      }
    });
  });
}

// Opens { transport: h1 h1s h2 h2s, port, path, ca, headers, protocols, deflate, version, session,
// protocol }; gives { ws, status, headers, session } or throws a Refused.
function open(to) {
  return to.transport.startsWith('h2') ? overHttp2(to) : overHttp1(to);
}

function closeSessions() {
  for (const session of sessions.values()) session.destroy();
  sessions.clear();
}

module.exports = { open, Refused, closeSessions };
