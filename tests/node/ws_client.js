// What spec/e2e/websocket_spec.lua asks of a WebSocket client; each handler opens what it needs (see
// ws_open.js for where to) and tells what it saw.
'use strict';

const crypto = require('crypto');
const { open, Refused, closeSessions } = require('./ws_open');
const { serve } = require('./talk');

// Open ones that later questions are about, by name.
const kept = new Map();

function closed(ws) {
  return new Promise((resolve) => {
    ws.on('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
}

async function end(ws, code, reason) {
  const over = closed(ws);
  ws.close(code, reason);
  return over;
}

function equal(message, data, binary) {
  return message.data !== undefined && message.binary === binary && message.data.equals(data);
}

// Which of the sizes come back as they went, as binary and as text.
async function echo(to) {
  const { ws } = await open(to);
  const wrong = [];
  for (const n of to.sizes) {
    const bytes = crypto.randomBytes(n);
    const text = Buffer.from(n === 0 ? '' : `ä${bytes.toString('base64').slice(2, n)}`);
    ws.send(bytes);
    if (!equal(await ws.next(), bytes, true)) wrong.push(`binary ${n}`);
    ws.send(text.toString());
    if (!equal(await ws.next(), text, false)) wrong.push(`text ${n}`);
  }
  const { code } = await end(ws, 1000);
  return { wrong, code };
}

// A message in pieces, with pings between them; then many of a byte.
async function fragments(to) {
  const { ws } = await open(to);
  const pongs = [];
  const pieces = [];
  ws.on('pong', (data) => pongs.push(data.toString()));
  for (let i = 0; i < 200; i += 1) {
    const piece = crypto.randomBytes(i < 100 ? i * 100 : 1);
    pieces.push(piece);
    ws.send(piece, { binary: true, fin: i === 199 });
    if (i % 50 === 0) ws.ping(`ping ${i}`);
  }
  const whole = equal(await ws.next(), Buffer.concat(pieces), true);
  await end(ws, 1000);
  return { whole, pongs };
}

// Many small messages without waiting for one; in which order they come back.
async function many(to) {
  const { ws } = await open(to);
  let inOrder = true;
  for (let i = 0; i < to.n; i += 1) ws.send(String(i));
  for (let i = 0; i < to.n; i += 1) {
    const { data } = await ws.next();
    inOrder = inOrder && data !== undefined && data.toString() === String(i);
  }
  await end(ws, 1000);
  return { inOrder };
}

// A frame that ws itself would not send.
async function raw(to) {
  const { ws } = await open(to);
  ws._socket.write(Buffer.from(to.hex, 'hex'));
  return ws.next();
}

async function first(to) {
  const { ws, status, headers } = await open(to);
  const message = await ws.next();
  const data = message.data && message.data.toString();
  if (message.data) await end(ws, 1000);
  return { status, headers, protocol: ws.protocol, extensions: ws.extensions, data,
    code: message.code, reason: message.reason };
}

async function refused(to) {
  try {
    const { ws, status } = await open(to);
    ws.terminate();
    return { status };
  } catch (err) {
    if (!(err instanceof Refused)) throw err;
    return { status: err.status, headers: err.headers, body: err.body };
  }
}

// Opens n at a time, uses each, closes them all. Sessions of HTTP/2 take up to 100.
async function crowd(to) {
  const all = await Promise.all(Array.from({ length: to.n }, (_, i) => (
    open({ ...to, session: `crowd ${Math.floor(i / 90)}` }))));
  const answers = await Promise.all(all.map(async ({ ws }, i) => {
    ws.send(`number ${i}`);
    const { data } = await ws.next();
    return data !== undefined && data.toString() === `number ${i}`;
  }));
  const codes = await Promise.all(all.map(({ ws }) => end(ws, 1000)));
  return { good: answers.filter(Boolean).length,
    ended: codes.filter(({ code }) => code === 1000).length };
}

// Opens one that stays; `say` and `end` go on with it.
async function keep(to) {
  const { ws, status, headers, session } = await open(to);
  kept.set(to.name, { ws, session, over: closed(ws) });
  if (to.pause) ws.pause();
  return { status, headers };
}

async function say({ name, text }) {
  const { ws } = kept.get(name);
  if (text !== undefined) ws.send(text);
  const message = await ws.next();
  return message.data ? { data: message.data.toString() } : message;
}

// Goes on reading until the end; how many bytes came.
async function drain({ name }) {
  const { ws, over } = kept.get(name);
  let n = 0;
  const digest = crypto.createHash('sha256');
  const items = (async () => {
    for (let m = await ws.next(); m.data; m = await ws.next()) {
      n += m.data.length;
      digest.update(m.data);
    }
  })();
  ws.resume();
  const { code } = await over;
  await items;
  return { n, code };
}

// Sends n pieces of 64 KiB; how much did not leave while the other side reads nothing.
async function push({ name, n }) {
  const { ws } = kept.get(name);
  const piece = Buffer.alloc(64 * 1024, 'y');
  for (let i = 0; i < n; i += 1) ws.send(piece);
  ws.close(1000);
}

function waiting({ name }) {
  return { bytes: kept.get(name).ws.bufferedAmount };
}

async function over({ name }) {
  const result = await kept.get(name).over;
  return result;
}

// Ways to leave without a word.
function leave({ name, how }) {
  const { ws, session } = kept.get(name);
  if (how === 'session') session.destroy();
  else if (how === 'end') ws._socket.end();
  else if (session) ws._socket.close(8); // CANCEL
  else if (ws._socket.encrypted) ws._socket.destroy();
  else ws._socket.resetAndDestroy();
}

async function finish({ name, code, reason }) {
  const { ws } = kept.get(name);
  kept.delete(name);
  return end(ws, code, reason);
}

serve({ echo, fragments, many, raw, first, refused, crowd, keep, say, drain, push, waiting, over,
  leave, finish, closeSessions });
