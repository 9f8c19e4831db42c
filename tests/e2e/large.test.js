// Messages of which a few are more than one answer may hold.

import assert from 'node:assert/strict';
import { list, stream } from '../lib/app.js';
import { deadLetters, pending, processing } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const SHORT = { pollingIntervalInMs: 100, payload: 'value', count: 10 };
const LARGE_BYTES = 60 * 1024 * 1024;
const COUNT = 10;

// The C function touches nothing of it: the time goes into moving bytes.
const NOTHING = {
  code: `
#include <redgrid/function.h>

int NAME(struct redgrid_invocation *run)
{
    (void)run;
    return REDGRID_OK;
}
`,
};

scenario('large list elements run, a few at a time', async (w) => {
  const server = await w.redis();
  for (let i = 0; i < COUNT; i++) await server.cli.rpush('q', Buffer.alloc(LARGE_BYTES, 65 + i));
  const node = await w.up({ functions: { F: list('q', SHORT, NOTHING) }, lang: 'c' });
  await node.succeeds('F', COUNT, 60000);
  await until(async () => (await processing(server.cli)).length === 0, 'all are removed');
});

scenario('large stream entries run, a few at a time', async (w) => {
  const server = await w.redis();
  for (let i = 0; i < COUNT; i++)
    await server.cli.xadd('s', '*', 'a', Buffer.alloc(LARGE_BYTES, 65 + i));
  const node = await w.up({
    functions: { F: stream('s', { ...SHORT, claimIdleMs: 1000 }, NOTHING) },
    lang: 'c',
  });
  await node.succeeds('F', COUNT, 60000);
  await until(async () => (await pending(server.cli, 's')) === 0, 'all are acknowledged');
  assert.equal((await deadLetters(server.cli, 'F')).length, 0);
});
