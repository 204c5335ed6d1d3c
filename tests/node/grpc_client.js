// A gRPC client: the cases of gRPC's interoperability tests, each by its name there, and single
// calls that a spec puts together.
'use strict';

const assert = require('assert');
const fs = require('fs');
const {
  grpc, TestService, UnimplementedService, ECHO_INITIAL, ECHO_TRAILING, OPTIONS,
} = require('./interop');
const { serve } = require('./talk');

const clients = new Map();
const calls = new Map(); // those that go on, by name

// One client, and so one connection, for each address and way of compression (a number of gRPC's).
// `tls` is the authority's certificate.
function clientOf(Service, { port, tls, compression }) {
  const key = [Service.serviceName, port, compression].join();
  let client = clients.get(key);

  if (!client) {
    const how = tls ? grpc.credentials.createSsl(fs.readFileSync(tls))
                    : grpc.credentials.createInsecure();
    const options = { ...OPTIONS };
    if (tls) options['grpc.ssl_target_name_override'] = 'a.test';
    if (compression) options['grpc.default_compression_algorithm'] = compression;
    client = new Service('127.0.0.1:' + port, how, options);
    clients.set(key, client);
  }
  return client;
}

function body(n) {
  return { body: Buffer.alloc(n) };
}

function metadataOf(fields, waitForReady) {
  const metadata = new grpc.Metadata({ waitForReady: Boolean(waitForReady) });

  for (const [name, value] of Object.entries(fields || {})) metadata.set(name, value);
  return metadata;
}

function optionsOf({ deadline_ms: ms }) {
  return ms === undefined ? {} : { deadline: Date.now() + ms };
}

// Runs a call to its status; never rejects: { code, details, initial, trailing, values }.
function watch(call, values) {
  const result = { values: values || [], initial: null };

  return new Promise((resolve) => {
    call.on('metadata', (metadata) => { result.initial = metadata; });
    call.on('error', () => {});
    call.on('status', ({ code, details, metadata }) => {
      resolve({ ...result, code, details, trailing: metadata });
    });
    if (call.read) call.on('data', (value) => result.values.push(value));
  });
}

function unary(client, method, request, metadata, options) {
  const values = [];
  const call = client[method](request, metadata || new grpc.Metadata(), options || {},
    (err, value) => { if (!err) values.push(value); });

  return watch(call, values);
}

function sizes(values) {
  return values.map((value) => value.payload.body.length);
}

// The next thing that a stream brings, bounded by the spec's patience.
function next(call, event) {
  return new Promise((resolve) => call.once(event, resolve));
}

function ask(size, payload) {
  return { responseParameters: [{ size }], payload: body(payload) };
}

const PING = [[31415, 27182], [9, 8], [2653, 1828], [58979, 45904]];

const cases = {
  async empty_unary(client) {
    const { code, values } = await unary(client, 'emptyCall', {});
    assert.deepEqual({ code, values }, { code: 0, values: [{}] });
  },

  async large_unary(client) {
    const { code, values } = await unary(client, 'unaryCall',
      { responseSize: 314159, payload: body(271828) });
    assert.equal(code, 0);
    assert.deepEqual(sizes(values), [314159]);
    assert.ok(values[0].payload.body.every((byte) => byte === 0));
  },

  async client_streaming(client) {
    const values = [];
    const call = client.streamingInputCall((err, value) => { if (!err) values.push(value); });
    const done = watch(call, values);

    for (const size of [27182, 8, 1828, 45904]) call.write({ payload: body(size) });
    call.end();
    assert.equal((await done).code, 0);
    assert.equal(values[0].aggregatedPayloadSize, 74922);
  },

  async server_streaming(client) {
    const want = [31415, 9, 2653, 58979];
    const { code, values } = await watch(client.streamingOutputCall(
      { responseParameters: want.map((size) => ({ size })) }));
    assert.equal(code, 0);
    assert.deepEqual(sizes(values), want);
  },

  // Each request goes when the answer to the one before it is there.
  async ping_pong(client) {
    const call = client.fullDuplexCall();
    const done = watch(call);

    for (const [size, payload] of PING) {
      call.write(ask(size, payload));
      assert.equal((await next(call, 'data')).payload.body.length, size);
    }
    call.end();
    assert.equal((await done).code, 0);
  },

  async empty_stream(client) {
    const call = client.fullDuplexCall();

    call.end();
    const { code, values } = await watch(call);
    assert.deepEqual({ code, values }, { code: 0, values: [] });
  },

  async custom_metadata(client) {
    const metadata = metadataOf({
      [ECHO_INITIAL]: 'test_initial_metadata_value',
      [ECHO_TRAILING]: Buffer.from([0xab, 0xab, 0xab]),
    });
    const check = ({ code, initial, trailing }) => {
      assert.equal(code, 0);
      assert.deepEqual(initial.get(ECHO_INITIAL), ['test_initial_metadata_value']);
      assert.deepEqual(trailing.get(ECHO_TRAILING), [Buffer.from([0xab, 0xab, 0xab])]);
    };

    check(await unary(client, 'unaryCall', { responseSize: 314159, payload: body(271828) },
      metadata));
    const call = client.fullDuplexCall(metadata);
    call.write(ask(314159, 271828));
    call.end();
    check(await watch(call));
  },

  async status_code_and_message(client) {
    const responseStatus = { code: 2, message: 'test status message' };
    const check = ({ code, details }) =>
      assert.deepEqual({ code, details }, { code: 2, details: 'test status message' });

    check(await unary(client, 'unaryCall', { responseStatus }));
    const call = client.fullDuplexCall();
    call.write({ responseStatus });
    call.end();
    check(await watch(call));
  },

  async special_status_message(client) {
    const message = '\t\ntest with whitespace\r\nand Unicode BMP \u263a and non-BMP \u{1f608}\t\n';
    const { code, details } = await unary(client, 'unaryCall',
      { responseStatus: { code: 2, message } });
    assert.deepEqual({ code, details }, { code: 2, details: message });
  },

  async unimplemented_method(client) {
    assert.equal((await unary(client, 'unimplementedCall', {})).code, 12);
  },

  async unimplemented_service(client, where) {
    const other = clientOf(UnimplementedService, where);
    assert.equal((await unary(other, 'unimplementedCall', {})).code, 12);
  },

  async cancel_after_begin(client) {
    const call = client.streamingInputCall(() => {});
    const done = watch(call);

    // In the turn that begins a call, the library sends its head and no reset.
    await new Promise(setImmediate);
    call.cancel();
    assert.equal((await done).code, 1);
  },

  async cancel_after_first_response(client) {
    const call = client.fullDuplexCall();
    const done = watch(call);

    call.write(ask(31415, 27182));
    await next(call, 'data');
    call.cancel();
    assert.equal((await done).code, 1);
  },

  async timeout_on_sleeping_server(client) {
    const call = client.fullDuplexCall(new grpc.Metadata(), { deadline: Date.now() + 1 });
    const done = watch(call);

    call.write({ payload: body(27182) });
    assert.equal((await done).code, 4);
  },
};

// What a spec is told of a call.
function report({ code, details, initial, trailing, values }) {
  return {
    code,
    details,
    initial: initial ? initial.getMap() : {},
    trailing: trailing ? trailing.getMap() : {},
    answers: values.length,
    sizes: sizes(values.filter((value) => value.payload)),
  };
}

serve({
  run: ({ name, ...where }) => cases[name](clientOf(TestService, where), where),

  names: () => Object.keys(cases),

  // One unary call: { size, payload, metadata, deadline_ms, status, method, wait_for_ready }.
  unary: async (how) => report(await unary(clientOf(TestService, how), how.method || 'unaryCall',
    { responseSize: how.size || 0, payload: body(how.payload || 0), responseStatus: how.status },
    metadataOf(how.metadata, how.wait_for_ready), optionsOf(how))),

  // One call of a path that no service has.
  async path(how) {
    const same = (bytes) => bytes;
    const call = clientOf(TestService, how).makeUnaryRequest(how.path, same, same, Buffer.alloc(0),
      metadataOf(how.metadata), {}, () => {});

    return report(await watch(call));
  },

  // `n` unary calls at once: how many ended with which code.
  burst: async (how) => {
    const client = clientOf(TestService, how);
    const codes = {};
    const each = async () => {
      const { code } = await unary(client, 'unaryCall',
        { responseSize: how.size || 0, payload: body(how.payload || 0) });
      codes[code] = (codes[code] || 0) + 1;
    };

    await Promise.all(Array.from({ length: how.n }, each));
    return codes;
  },

  // Cancels `n` calls, each beside one that it lets end: the codes of these.
  cancel_some: async (how) => {
    const client = clientOf(TestService, how);
    const codes = {};

    for (let i = 0; i < how.n; i++) {
      const call = client.fullDuplexCall();
      const done = watch(call);
      call.write(ask(1, 1));
      const { code } = await unary(client, 'emptyCall', {});
      call.cancel();
      await done;
      codes[code] = (codes[code] || 0) + 1;
    }
    return codes;
  },

  // Begins a stream under a name: { call, metadata, deadline_ms }. It goes both ways; or, with
  // `answers`, it brings so many, one every 10 ms.
  open(how) {
    const client = clientOf(TestService, how);
    const rest = [metadataOf(how.metadata), optionsOf(how)];
    const wanted = Array.from({ length: how.answers || 0 }, () => ({ size: 1, intervalUs: 10000 }));
    const call = how.answers ? client.streamingOutputCall({ responseParameters: wanted }, ...rest)
                             : client.fullDuplexCall(...rest);
    const values = [];

    calls.set(how.call, { call, values, done: watch(call, values), taken: 0 });
  },
  // Sends a message on it that asks for answers of these sizes.
  send: ({ call, sizes: list, payload, interval_us: intervalUs }) => {
    calls.get(call).call.write({
      responseParameters: (list || []).map((size) => ({ size, intervalUs: intervalUs || 0 })),
      payload: body(payload || 0),
    });
  },
  // The size of the next answer on it; null when its status came first.
  async receive({ call }) {
    const stream = calls.get(call);

    while (stream.values.length === stream.taken) {
      const over = await Promise.race([next(stream.call, 'data'), stream.done.then(() => 'over')]);
      if (over === 'over' && stream.values.length === stream.taken) return null;
    }
    return stream.values[stream.taken++].payload.body.length;
  },
  end: ({ call }) => { calls.get(call).call.end(); },
  cancel: ({ call }) => { calls.get(call).call.cancel(); },
  status: async ({ call }) => report(await calls.get(call).done),

  // Forgets the connections; calls go on on theirs.
  close: () => {
    for (const client of clients.values()) client.close();
    clients.clear();
  },
});
