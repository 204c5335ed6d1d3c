// A gRPC server with the interoperability service on 127.0.0.1, and what it has seen.
'use strict';

const fs = require('fs');
const { grpc, TestService, ECHO_INITIAL, ECHO_TRAILING, OPTIONS } = require('./interop');
const { serve } = require('./talk');

// Calls, by the name that their client gives them (x-call), that it did not wait for.
const cancelled = [];
let server;

// Notes the call, and gives back the metadata that its client asks for. Returns the trailers.
function begin(call) {
  const trailing = new grpc.Metadata();
  const initial = call.metadata.get(ECHO_INITIAL);
  const echo = call.metadata.get(ECHO_TRAILING);

  // The library says so of calls that were answered, too, and of a stream that is cancelled it first
  // says that its client has nothing more to say.
  call.on('cancelled', () => {
    if (!call.answered) cancelled.push(call.metadata.get('x-call')[0] || '');
  });
  if (initial.length > 0) {
    const metadata = new grpc.Metadata();
    metadata.set(ECHO_INITIAL, initial[0]);
    call.sendMetadata(metadata);
  }
  if (echo.length > 0) trailing.set(ECHO_TRAILING, echo[0]);
  return trailing;
}

function payload(n) {
  return { body: Buffer.alloc(n) };
}

function statusOf(request) {
  const status = request.responseStatus;

  return status && status.code !== 0 ? { code: status.code, details: status.message } : null;
}

function emptyCall(call, done) {
  const trailing = begin(call);

  call.answered = true;
  done(null, {}, trailing);
}

function unaryCall(call, done) {
  const trailing = begin(call);
  const status = statusOf(call.request);

  call.answered = true;
  if (status) done({ ...status, metadata: trailing });
  else done(null, { payload: payload(call.request.responseSize) }, trailing);
}

// Sends the answers that a request asks for, one after the other, each after its interval.
async function answer(call, request) {
  for (const { size, intervalUs } of request.responseParameters) {
    if (intervalUs > 0) await new Promise((resolve) => setTimeout(resolve, intervalUs / 1000));
    if (call.cancelled) return;
    if (!call.write({ payload: payload(size) })) {
      await new Promise((resolve) => { call.once('drain', resolve); call.once('cancelled', resolve); });
    }
  }
}

async function streamingOutputCall(call) {
  const trailing = begin(call);

  await answer(call, call.request);
  call.answered = true;
  call.end(trailing);
}

function streamingInputCall(call, done) {
  const trailing = begin(call);
  let sum = 0;

  call.on('data', (request) => { sum += request.payload.body.length; });
  call.on('end', () => {
    call.answered = true;
    done(null, { aggregatedPayloadSize: sum }, trailing);
  });
}

function fullDuplexCall(call) {
  const trailing = begin(call);
  let last = Promise.resolve();

  call.on('data', (request) => {
    const status = statusOf(request);

    last = last.then(() => {
      if (!status) return answer(call, request);
      call.answered = true;
      return call.emit('error', { ...status, metadata: trailing });
    });
  });
  call.on('end', () => last.then(() => { call.answered = true; call.end(trailing); }));
}

function credentials(tls) {
  if (!tls) return grpc.ServerCredentials.createInsecure();
  return grpc.ServerCredentials.createSsl(null,
    [{ cert_chain: fs.readFileSync(tls.cert), private_key: fs.readFileSync(tls.key) }]);
}

serve({
  // Listens on a port that is free, with TLS where { tls: { cert, key } } says so.
  listen({ tls, port }) {
    server = new grpc.Server(OPTIONS);
    server.addService(TestService.service,
      { emptyCall, unaryCall, streamingOutputCall, streamingInputCall, fullDuplexCall });
    return new Promise((resolve, reject) => {
      server.bindAsync('127.0.0.1:' + (port || 0), credentials(tls),
        (err, bound) => (err ? reject(err) : resolve({ port: bound })));
    });
  },
  seen: () => ({ cancelled }),
  // Ends as a server does that is stopped in order: GOAWAY, calls to their end.
  shutdown: () => new Promise((resolve) => server.tryShutdown(resolve)),
  // Cuts all calls and connections.
  cut: () => server.forceShutdown(),
});
