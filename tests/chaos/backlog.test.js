// Many events wait for an endpoint that is dead: the daemon must not hold them, nor read them all
// when it starts, nor serve anybody else later because of them.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { Events, gridEvent } from '../lib/events.js';
import { PROGRAM } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';
import { queuesOf } from './event-audit.js';

const BACKLOG = Number(process.env.BACKLOG) || 50000;
const A_REQUEST = 2000;
const LANES = 25;
const RSS_MAX_KIB = 64 * 1024;
const START_MS = 5000;
const isSanitized = /asan|tsan/.test(PROGRAM); // keeps what was freed

const only = (type) => ({ filter: { includedEventTypes: [type] } });

// What the daemon has, itself.
function checkMemory(node) {
  const status = fs.readFileSync(`/proc/${node.process.pid}/status`, 'utf8');
  const kib = Number(status.match(/VmRSS:\s+(\d+)/)[1]);
  if (!isSanitized) assert.ok(kib < RSS_MAX_KIB, `${kib} KiB with ${BACKLOG} events waiting`);
}

async function publishBacklog(events, key) {
  let left = BACKLOG;
  const lane = async () => {
    while (left > 0) {
      const count = Math.min(left, A_REQUEST);
      left -= count;
      const batch = Array.from({ length: count }, () =>
        gridEvent({ eventType: 'dead', data: { text: 'x'.repeat(200) } }),
      );
      const answer = await events.publish('orders', batch, { 'aeg-sas-key': key });
      assert.equal(answer.status, 200, answer.text);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane)); // in memory all at once, if it let them
}

// All that waits has failed once, and is due now.
async function park(cli, queue) {
  const script = `
    local r = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', 5000)
    for _, e in ipairs(r) do
      redis.call('ZADD', KEYS[2], ARGV[2], e[1])
      redis.call('HSET', KEYS[3], e[1], '1 9 0 1')
    end
    return #r > 0 and '(' .. r[#r][1] or false`;
  const keys = ['events', 'due', 'state'].map((name) => queue.key(name));
  const due = Date.now() - 1000;
  for (let from = '-'; from; ) from = await cli.eval(script, 3, ...keys, from, due);
  await cli.xgroup('SETID', keys[0], 'redgrid', '$');
  assert.equal(await cli.zcard(keys[1]), BACKLOG);
}

scenario('A backlog behind a dead endpoint', { timeout: 60000 + BACKLOG }, async (w) => {
  const store = await w.redis();
  const events = await w.events({ store });
  const { node } = events;
  const [dead, alive] = [await w.hook(), await w.hook()];
  const { key1 } = await events.topic('orders');
  await events.subscription('orders', 'dead', Events.to(dead.url(), only('dead')));
  await events.subscription('orders', 'alive', Events.to(alive.url(), only('alive')));
  await dead.destroy();

  let sent = 0;
  const check = async () => {
    const one = gridEvent({ eventType: 'alive' });
    const answer = await events.publish('orders', [one], { 'aeg-sas-key': key1 });
    assert.equal(answer.status, 200, answer.text);
    await alive.gets(++sent, 2000);
    checkMemory(node);
  };
  await check();
  await publishBacklog(events, key1);
  await check();
  await node.stop();
  await node.start(START_MS);
  await check();

  const queue = (await queuesOf(store.cli)).get('dead');
  await node.stop();
  await park(store.cli, queue);
  await node.start(START_MS);
  await check();
  // It tries a few of them, then leaves the endpoint alone; nothing is lost meanwhile.
  await node.line(/ENDPOINT-RESTS|attempts in a row failed/, 20000);
  await check();
  await until(
    async () => (await store.cli.xlen(queue.key('events'))) === BACKLOG,
    'all of them still wait',
  );
});
