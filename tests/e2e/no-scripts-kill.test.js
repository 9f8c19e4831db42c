// Killed behind any of the plain commands that stand in for scripts: repeated perhaps, never lost.

import { list, stream } from '../lib/app.js';
import { record } from '../lib/code.js';
import { deadLetters, numbers, pending, processing } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { StepProxy } from '../lib/step-proxy.js';
import { until } from '../lib/until.js';

const WITHOUT = { without: ['eval', 'evalsha', 'script'] };
const QUICK = { pollingIntervalInMs: 100, claimIdleMs: 300 };
const GOOD = numbers(6);

const FATE = record('message.startswith("bad") and 1/0');
const FAILS_FIRST = record('testlib.is_first(message) and 1/0');
const WAITS_FIRST = record('testlib.is_first(message) and testlib.wait_for("never")');

// A node whose last word to the server is the nth `name`; gives the proxy, too.
async function lastWords(w, app, [name, nth]) {
  const proxy = await new StepProxy(w.servers[0].port).start();
  if (name) proxy.endAfter(name, nth);
  const env = { redis: proxy.address };
  const node = w.node({ app, data: w.path('data'), env }).spawn();
  return { node, proxy };
}

async function dies({ node, proxy }) {
  await until(() => proxy.hasEnded, () => `it says ${proxy.last}`);
  await node.kill();
  await proxy.stop();
}

// The next life is undisturbed. What was sent has run well, or is a dead letter, and nothing is left.
async function allIsWell(w, app, good, bad = []) {
  const { cli } = w.servers[0];
  const node = await w.up(app, { data: w.path('data') });
  const ends = () => new Set(w.ledger().filter((line) => line.startsWith('end ')));
  await until(
    () => good.every((element) => ends().has(`end ${element}`)),
    () => `all run: ${[...ends()]}`,
  );
  const letters = async () => (await deadLetters(cli, 'F')).map((one) => one.element ?? one['f:n']);
  await until(async () => {
    const found = await letters();
    return bad.every((element) => found.includes(element));
  }, 'all dead letters are there');
  await until(async () => (await processing(cli)).length === 0, 'nothing is held');
  return node;
}

function lives(name, steps, plot) {
  for (const step of steps)
    scenario(`${name}: killed behind ${step.join(' ')}`, async (w) => {
      await w.redis(WITHOUT);
      await plot(w, step);
    });
}

const FETCH = [['TIME', 2], ['ZADD', 2], ['LMOVE', 1], ['LMOVE', 3], ['EXISTS', 1]];
const ACK = [['LREM', 1], ['LREM', 2], ['LREM', 3]];
lives('list', [...FETCH, ...ACK], async (w, step) => {
  const app = w.app({ F: list('q', { ...QUICK, count: 3 }, FATE) });
  await w.servers[0].cli.rpush('q', ...GOOD);
  await dies(await lastWords(w, app, step));
  await allIsWell(w, app, GOOD);
});

const BAD = ['bad0', 'bad1'];
lives('burial', [['XADD', 1], ['LREM', 1], ['HDEL', 1], ['XADD', 2]], async (w, step) => {
  const app = w.app({ F: list('q', { ...QUICK, maxDeliveryCount: 1 }, FATE) });
  await w.servers[0].cli.rpush('q', ...BAD);
  await dies(await lastWords(w, app, step));
  await allIsWell(w, app, [], BAD);
});

const RECOVER = [['ZSCORE', 1], ['LINDEX', 1], ['HINCRBY', 1], ['LMOVE', 1], ['LINDEX', 4], ['ZREM', 1]];
lives('recovery', RECOVER, async (w, step) => {
  const app = w.app({ F: list('q', { ...QUICK, count: 3 }, WAITS_FIRST) });
  await w.servers[0].cli.rpush('q', ...numbers(3));
  const first = await w.up(app, { data: w.path('data') });
  await until(() => w.ledger().length === 3, 'they run');
  await first.kill();
  await dies(await lastWords(w, app, step));
  await allIsWell(w, app, numbers(3));
});

const UNRUN = [['HINCRBY', 1], ['XADD', 1], ['LREM', 1], ['HDEL', 1]];
lives('recovery into dead letters', UNRUN, async (w, step) => {
  const app = w.app({ F: list('q', { ...QUICK, maxDeliveryCount: 1 }, WAITS_FIRST) });
  await w.servers[0].cli.rpush('q', ...BAD);
  const first = await w.up(app, { data: w.path('data') });
  await until(() => w.ledger().length === 2, 'they run');
  await first.kill();
  await dies(await lastWords(w, app, step));
  await allIsWell(w, app, [], BAD);
});

const RETURN = [['HSET', 1], ['LLEN', 1], ['LMOVE', 1], ['LMOVE', 3], ['EXPIRE', 1], ['ZREM', 1]];
lives('stop', RETURN, async (w, step) => {
  const binding = { ...QUICK, count: 6, claimIdleMs: 30000 };
  const app = w.app({ F: list('q', binding, FAILS_FIRST) });
  await w.servers[0].cli.rpush('q', ...GOOD);
  const { node, proxy } = await lastWords(w, app, []);
  await until(() => node.failedCount('F') === 6, 'all fail at first');
  proxy.endAfter(...step);
  node.process.kill('SIGTERM');
  await dies({ node, proxy });
  await allIsWell(w, app, GOOD);
});

lives('stream', [['XRANGE', 1], ['XADD', 1], ['XACK', 1]], async (w, step) => {
  const { cli } = w.servers[0];
  const fails = record('1/0').code.replace('["Message"]', '["Trigger"]');
  const app = w.app({ F: stream('q', { ...QUICK, maxDeliveryCount: 1 }, { code: fails }) });
  for (const n of BAD) await cli.xadd('q', '*', 'n', n);
  await dies(await lastWords(w, app, step));
  await allIsWell(w, app, [], BAD);
  await until(async () => (await pending(cli, 'q')) === 0, 'XPENDING 0');
});
