// How a spec talks with a program of this folder (spec/e2e/support/node.lua): it writes lines of
// JSON, { id, what, with }, to standard input; each gets one line { id, value } or { id, error }.
'use strict';

const readline = require('readline');

function print(line) {
  process.stdout.write(JSON.stringify(line) + '\n');
}

function problem(err) {
  return err instanceof Error ? err.stack : String(err);
}

// Answers with what handlers[what](with) returns or resolves to. Calls may overlap.
function serve(handlers) {
  readline.createInterface({ input: process.stdin }).on('line', async (text) => {
    const { id, what, with: options } = JSON.parse(text);
    try {
      if (!handlers[what]) throw new Error('no such handler: ' + what);
      const value = await handlers[what](options || {});
      print({ id, value: value === undefined ? null : value });
    } catch (err) {
      print({ id, error: problem(err) });
    }
  });
}

module.exports = { serve };
