// An HTTP/2 server in clear on 127.0.0.1 that does to each stream what its fields say: x-reset is
// the code it is reset with, after nothing, the "head" or a first "message" (x-after).
'use strict';

const http2 = require('http2');
const { serve } = require('./talk');

const EMPTY_MESSAGE = Buffer.alloc(5);
let seen = {};

function onStream(stream, headers) {
  const after = headers['x-after'];
  const reset = () => stream.close(Number(headers['x-reset']));

  seen = headers;
  stream.on('error', () => {});
  stream.resume();
  if (after === 'nothing') {
    reset();
    return;
  }
  stream.respond({ 'content-type': 'application/grpc' });
  if (after === 'message') stream.write(EMPTY_MESSAGE, reset);
  else setImmediate(reset);
}

serve({
  listen: () => new Promise((resolve) => {
    const server = http2.createServer();
    server.on('stream', onStream);
    server.on('sessionError', () => {});
    server.listen(0, '127.0.0.1', () => resolve({ port: server.address().port }));
  }),
  // The fields of the last request.
  seen: () => ({ ...seen }),
});
