import assert from 'node:assert/strict';
import { list, stream } from '../lib/app.js';
import { addEntries, numbers } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

// Functions that never end, so that what waits can be counted; one in flight.
const STUCK = {
  code: 'import testlib\n\ndef main(entry):\n    testlib.record("in")\n    testlib.wait_for("go")\n',
};
const QUICK = ['--drain-timeout', '100'];
const D = { messagesPerWorker: 10, count: 1 };

const scale = async (node, f) => (await node.get(`/api/scale/${f}`)).json();

async function target(node, f, expected) {
  let seen;
  await until(
    async () => (seen = await scale(node, f)).target === expected,
    () => `target ${expected} of ${f}: ${JSON.stringify(seen)}`,
    15000,
  );
  return seen;
}

for (const [row, kind] of [
  ['32', 'list'],
  ['33', 'stream'],
]) {
  scenario(`${row} Scaler, ${kind}`, async (w) => {
    const { cli } = await w.redis();
    const make = kind === 'list' ? list : stream;
    const node = await w.up({ F: make('work', D, STUCK) }, { args: QUICK });
    const send = (n) =>
      kind === 'list' ? cli.rpush('work', ...numbers(n)) : addEntries(cli, 'work', n);
    assert.deepEqual((await target(node, 'F', 0)).backlog, 0);
    await send(1); // it runs, and waits no longer
    await until(() => w.ledger().length === 1, 'one runs');
    await send(1);
    await target(node, 'F', 1);
    await send(99);
    const seen = await target(node, 'F', 10);
    assert.equal(seen.divisor, 10);
    assert.equal(seen.backlog, 100);
    const type = kind === 'list' ? 'RedisListTrigger' : 'RedisStreamTrigger';
    assert.equal(seen.monitor, `F-${type}-work`, 'the right kind of monitor');
  });
}

for (const done of [100, 50, 0]) {
  scenario(`34 Scaler exact, ${done} of 100 processed`, async (w) => {
    const { cli } = await w.redis();
    await addEntries(cli, 'work', 100);
    await cli.xgroup('CREATE', 'work', 'F', '0');
    if (done > 0)
      await cli.xreadgroup('GROUP', 'F', 'other', 'COUNT', done, 'STREAMS', 'work', '>');
    // One of the rest is taken by the function itself; one more keeps the count round.
    const node = await w.up({ F: stream('work', D, STUCK) }, { args: QUICK });
    if (done < 100) await until(() => w.ledger().length === 1, 'one runs');
    if (done < 100) await cli.xadd('work', '*', 'n', 'more');
    await target(node, 'F', (100 - done) / 10);
  });
}

for (const done of [75, 50, 25]) {
  scenario(`35 Scaler custom ids, ${done} of 100 processed, 6.2`, async (w) => {
    const { cli } = await w.redis({ version: '6.2' });
    for (let i = 1; i <= 100; i++) await cli.xadd('work', `1-${i}`, 'n', i);
    await cli.xgroup('CREATE', 'work', 'F', '0');
    await cli.xreadgroup('GROUP', 'F', 'other', 'COUNT', done, 'STREAMS', 'work', '>');
    const node = await w.up({ F: stream('work', D, STUCK) }, { args: QUICK });
    let seen;
    await until(
      async () => (seen = await scale(node, 'F')).target > 0,
      () => JSON.stringify(seen),
    );
    assert.ok(seen.target <= 10);
  });
}

scenario('37 Closed connection, wrong type: 0, and no error', async (w) => {
  const server = await w.redis();
  const { cli } = server;
  const node = await w.up(
    { L: list('l', D, STUCK), S: stream('s', D, STUCK), T: list('t', D, STUCK) },
    { args: QUICK },
  );
  await cli.rpush('l', ...numbers(101));
  await addEntries(cli, 's', 101);
  await cli.rpush('t', ...numbers(101));
  for (const f of ['L', 'S', 'T']) await target(node, f, 10);
  await cli.multi().del('t').set('t', 'wrong type').exec();
  await target(node, 'T', 0);
  await server.stop();
  for (const f of ['L', 'S']) await target(node, f, 0);
  await stays(() => !node.hasExited(), 'it lives');
  assert.equal((await scale(node, 'L')).vote, 0);
});

scenario('Workers follow the target', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up(
    { F: list('work', { messagesPerWorker: 10, count: 1 }, STUCK) },
    { args: [...QUICK, '--workers-min', '1', '--workers-max', '3'] },
  );
  const workers = () =>
    node.children().filter((child) => child.command.includes('worker.py')).length;
  assert.equal(workers(), 1);
  await cli.rpush('work', ...numbers(100));
  await until(
    () => workers() === 3,
    () => `three workers: ${workers()}`,
    60000,
  );
});

scenario('FUNCTIONS_WORKER_PROCESS_COUNT is the least number of workers', async (w) => {
  await w.redis();
  const app = { functions: { F: list('work') }, settings: { FUNCTIONS_WORKER_PROCESS_COUNT: '2' } };
  const node = await w.up(app);
  const workers = () =>
    node.children().filter((child) => child.command.includes('worker.py')).length;
  await until(() => workers() === 2, 'two workers');
  await stays(() => workers() === 2, 'still two after a look at the backlog', 6000);
});

scenario('Metrics', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({
    F: list('work'),
    Bad: list('bad', { maxDeliveryCount: 1 }, { code: 'def main(entry):\n    1 / 0\n' }),
  });
  await cli.rpush('work', ...numbers(10));
  await cli.rpush('bad', 'x');
  await node.succeeds('F', 10);
  await node.fails('Bad', 1);
  const answer = await node.get('/metrics');
  assert.match(answer.headers.get('content-type'), /^text\/plain/);
  const text = await answer.text();
  const value = (name, ...labels) => {
    const line = text
      .split('\n')
      .find((one) => one.startsWith(name) && labels.every((label) => one.includes(label)));
    return line && Number(line.split(' ').pop());
  };
  assert.equal(value('redgrid_invocations_total', 'function="F"', 'result="succeeded"'), 10, text);
  assert.equal(value('redgrid_invocations_total', 'function="Bad"', 'result="failed"'), 1, text);
});
