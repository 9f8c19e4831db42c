// Caches and their event subscriptions through the SDKs for Python (spec Y1). `script/bootstrap test`
// unpacks Debian's; without them this is skipped.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { promisify } from 'node:util';
import { Caches } from '../lib/caches.js';
import { authorityFile } from '../lib/https.js';
import { PYTHON, pythonEnv, pythonLacks } from '../lib/python-sdk.js';
import { scenario } from '../lib/scenario.js';

const run = promisify(execFile);
const SUBSCRIPTION = '00000000-0000-0000-0000-000000000001';
const SCRIPT = new URL('../lib/manage.py', import.meta.url).pathname;
const OPTIONS = { skip: pythonLacks('azure.mgmt.eventgrid, azure.mgmt.redis'), timeout: 300000 };

scenario('Y1 A cache from its making to its end, in Python', OPTIONS, async (w) => {
  const folder = w.path('backup');
  fs.mkdirSync(folder);
  const caches = await w.caches({ args: ['--caches-file-dirs', folder] });
  const hook = await w.hook();
  const base = `https://localhost:${caches.node.ports().https}`;
  const words = [SCRIPT, base, SUBSCRIPTION, 'redgrid', `file://${folder}`, hook.url()];
  const env = { ...pythonEnv, REQUESTS_CA_BUNDLE: authorityFile(caches.node) };
  const came = JSON.parse((await run(PYTHON, words, { env })).stdout);
  assert.equal(came.id, Caches.id('c1'));
  assert.equal(came.state, 'Succeeded');
  assert.equal(came.renewed, true);
  assert.deepEqual(came.tags, { a: 'b' });
  assert.equal(came.endpointType, 'WebHook');
  assert.equal(came.types.length, 4);
  assert.deepEqual(came.names, ['c1']);
  assert.equal(came.left, false);
  assert.ok(fs.existsSync(`${folder}/p.rdb`));
});
