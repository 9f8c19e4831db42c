import assert from 'node:assert/strict';
import fs from 'node:fs';
import { list, stream } from '../lib/app.js';
import { record } from '../lib/code.js';
import { addEntries, numbers, pending, processing } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const QUICK = { claimIdleMs: 1000, pollingIntervalInMs: 100 };
const SLOW = record('time.sleep(0.02)');

const ended = (w) => new Set(w.ledger().filter((line) => line.startsWith('end ')));

function send(cli, kind, n) {
  return kind === 'list' ? cli.rpush('work', ...numbers(n)) : addEntries(cli, 'work', n);
}

const trigger = (kind, options, code) => (kind === 'list' ? list : stream)('work', options, code);

async function settled(cli, kind) {
  if (kind === 'stream') return until(async () => (await pending(cli, 'work')) === 0, 'XPENDING 0');
  return until(
    async () => (await processing(cli)).length === 0 && (await cli.llen('work')) === 0,
    'no element left',
  );
}

for (const kind of ['list', 'stream']) {
  for (const common of [true, false]) {
    const how = common ? 'common store' : 'own stores';
    scenario(`N9 Kill during a run, ${kind}, ${how}`, async (w) => {
      const { cli } = await w.redis();
      const app = w.app({ F: trigger(kind, QUICK, SLOW) });
      const store = common ? await w.redis() : undefined;
      const nodes = await Promise.all([w.up(app, { store }), w.up(app, { store })]);
      await send(cli, kind, 100);
      await until(() => nodes.every((node) => node.startedCount('F') > 5), 'both nodes run');
      await nodes[0].kill();
      await until(
        () => ended(w).size === 100,
        () => `100 entries run: ${ended(w).size}`,
        11000,
      );
      await settled(cli, kind);
    });
  }

  scenario(`N9 A dead node is replaced within 5 s by its heartbeat, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    const app = w.app({ F: trigger(kind, { pollingIntervalInMs: 100 }, SLOW) });
    const store = await w.redis();
    const nodes = await Promise.all([w.up(app, { store }), w.up(app, { store })]);
    await send(cli, kind, 200);
    await until(() => nodes.every((node) => node.startedCount('F') > 5), 'both nodes run');
    await nodes[0].kill();
    // claimIdleMs is 30 s here; the common store knows better.
    await until(
      () => ended(w).size === 200,
      () => `200 entries run: ${ended(w).size}`,
      8000,
    );
    await settled(cli, kind);
  });

  scenario(`N9 A long run is not taken over, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    const functions = { F: trigger(kind, { claimIdleMs: 300 }, record('testlib.wait_for("go")')) };
    const app = w.app({ functions });
    const nodes = await Promise.all([w.up(app), w.up(app)]);
    await send(cli, kind, 3);
    await until(() => w.ledger().length === 3, 'three run');
    await stays(() => w.ledger().length === 3, 'each runs once', 2000);
    w.touch('go');
    await until(() => ended(w).size === 3, 'they end');
    await settled(cli, kind);
    assert.equal(w.ledger().length, 6);
    assert.equal(
      nodes.reduce((sum, node) => sum + node.succeededCount('F'), 0),
      3,
    );
  });

  scenario(`N9 Many long runs are not taken over, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    // More than one command is likely to carry; tasks, since 700 threads would keep a machine busy.
    const code = `
import asyncio
import os
import testlib

async def main(entry):
    testlib.record("start")
    while not os.path.exists(testlib.path("go")):
        await asyncio.sleep(0.5)
    testlib.record("end")
`;
    const app = w.app({ F: trigger(kind, { claimIdleMs: 600, count: 1000 }, { code }) });
    const first = await w.up(app);
    await send(cli, kind, 700);
    await until(
      () => w.ledger().length === 700,
      () => `700 run: ${w.ledger().length}`,
    );
    const second = await w.up(app);
    await stays(() => second.startedCount('F') === 0, 'nothing for the other node', 2000);
    w.touch('go');
    await first.succeeds('F', 700);
    await settled(cli, kind);
    assert.equal(w.ledger().length, 1400);
  });

  scenario(`N10 Kill and restart, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    const app = w.app({ F: trigger(kind, { pollingIntervalInMs: 100 }, SLOW) });
    const node = await w.up(app, { data: w.path('data') });
    await send(cli, kind, 100);
    await until(() => node.startedCount('F') > 10, 'it runs');
    await node.kill();
    const second = await w.up(app, { data: w.path('data') });
    // Its own are taken up at once, long before claimIdleMs (30 s).
    await until(
      () => ended(w).size === 100,
      () => `100 entries run: ${ended(w).size}`,
      5000,
    );
    await settled(cli, kind);
    if (kind === 'list') {
      await until(
        async () => (await cli.keys('redgrid:*:list:*')).length === 0,
        'no processing list left',
      );
    } else {
      await until(
        async () => (await cli.xinfo('CONSUMERS', 'work', 'F')).length <= 1,
        'one consumer',
      );
    }
    await second.stop();
  });

  scenario(`N11 Stop during runs, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    const app = w.app({ F: trigger(kind, QUICK, record('time.sleep(0.05)')) });
    const node = await w.up(app, { data: w.path('data') });
    await send(cli, kind, 100);
    await until(() => node.startedCount('F') > 10, 'it runs');
    await node.stop();
    const before = ended(w).size;
    assert.ok(before < 100, 'stopped in the middle');
    assert.equal(node.startedCount('F'), node.succeededCount('F'), 'what ran came to its end');
    await w.up(app, { data: w.path('data') });
    await until(
      () => ended(w).size === 100,
      () => `100 entries run: ${ended(w).size}`,
      8000,
    );
    await settled(cli, kind);
    assert.equal(w.ledger().length, 200, 'none run again');
  });

  scenario(`N12 Stop cut short leaves entries for others, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    const functions = { F: trigger(kind, { claimIdleMs: 500 }, record('testlib.wait_for("go")')) };
    const app = w.app({ functions });
    const node = await w.up(app, { args: ['--drain-timeout', '200'] });
    await send(cli, kind, 5);
    await until(() => w.ledger().length === 5, 'five run');
    node.process.kill('SIGTERM');
    await until(() => node.hasExited(), 'ended after the limit', 10000);
    if (kind === 'stream') assert.equal(await pending(cli, 'work'), 5, 'they stay pending');
    else assert.equal((await processing(cli)).length + (await cli.llen('work')), 5, 'they stay');
    w.touch('go');
    await w.up(app);
    await until(() => ended(w).size === 5, 'they run on another node', 8000);
    await settled(cli, kind);
  });

  scenario(`N9 Kill the worker during a run, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    const node = await w.up({ F: trigger(kind, QUICK, SLOW) });
    await send(cli, kind, 100);
    await until(() => ended(w).size > 10, 'it runs');
    const worker = node.children().find((child) => child.command.includes('worker.py'));
    process.kill(worker.pid, 'SIGKILL');
    await until(
      () => ended(w).size === 100,
      () => `100 entries run: ${ended(w).size}`,
      15000,
    );
    await settled(cli, kind);
    await node.line(/SIGKILL|signal 9|killed/i);
  });
}

scenario('N10 Kill twice, then an exact count', async (w) => {
  const { cli } = await w.redis();
  const app = w.app({ F: stream('work', { pollingIntervalInMs: 100, count: 20 }, SLOW) });
  await addEntries(cli, 'work', 300);
  for (const enough of [50, 150]) {
    const node = await w.up(app, { data: w.path('data') });
    await until(() => ended(w).size > enough, 'it runs');
    await node.kill();
  }
  await w.up(app, { data: w.path('data') });
  await until(
    () => ended(w).size === 300,
    () => `300 entries run: ${ended(w).size}`,
  );
  await settled(cli, 'stream');
  const starts = w.ledger().filter((line) => line.startsWith('start '));
  const again = starts.length - new Set(starts).size;
  assert.ok(again <= 2 * 20, `at most the ${2 * 20} in flight ran again: ${again}`);
  assert.ok(fs.existsSync(w.path('data')));
});
