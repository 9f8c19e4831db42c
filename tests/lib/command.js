// The command line against a node.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { PROGRAM } from './node.js';

const run = promisify(execFile);

// Runs a command; {code, stdout, stderr}.
export async function redgrid(events, words, env = {}) {
  const options = { env: { ...process.env, REDGRID_SERVER: events.base(), ...env } };
  try {
    return { code: 0, ...(await run(PROGRAM, words, options)) };
  } catch (error) {
    return error;
  }
}

// One that must succeed; what it prints.
export async function must(events, ...words) {
  const { code, stdout, stderr } = await redgrid(events, words);
  assert.equal(code, 0, `redgrid ${words.join(' ')}: ${stderr}`);
  return stdout;
}
