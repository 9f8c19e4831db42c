import assert from 'node:assert/strict';
import { list, stream } from '../lib/app.js';
import { FAIL, show } from '../lib/code.js';
import { deadLetters, numbers, processing } from '../lib/keys.js';
import { runsSucceed } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const SHORT = { pollingIntervalInMs: 100 };
const LONG = { pollingIntervalInMs: 10000 };
const messages = (node) => node.values().map((value) => JSON.parse(value).Message);

for (const version of ['6.0', '6.2', 'newest']) {
  scenario(`15 List, ${version}`, async (w) => {
    const { cli } = await w.redis({ version });
    const node = await w.up({ F: list('listTest', SHORT) });
    const before = Date.now();
    await cli.lpush('listTest', 'a', 'b');
    await node.succeeds('F', 2, 1000 + (Date.now() - before));
    assert.deepEqual(node.values().sort(), [
      '{"Trigger":"listTest","Message":"a"}',
      '{"Trigger":"listTest","Message":"b"}',
    ]);
    await until(async () => (await processing(cli)).length === 0, 'nothing left to process');
    await node.line(
      /^Executing 'Functions\.F' \(Reason='Redis list entry detected from key 'listTest' at /,
    );
    await node.stop();
    assert.deepEqual(await cli.keys('redgrid:*:list:*'), []);
  });

  scenario(`20 List, several keys, ${version}`, async (w) => {
    const { cli } = await w.redis({ version });
    const node = await w.up({ F: list('listKey1 listKey2 listKey3', SHORT) });
    for (const key of ['listKey1', 'listKey2', 'listKey3']) await cli.lpush(key, ...'abcdef');
    await node.succeeds('F', 18);
    const seen = node.values().map((value) => JSON.parse(value));
    for (const key of ['listKey1', 'listKey2', 'listKey3']) {
      const of = seen.filter((one) => one.Trigger === key).map((one) => one.Message);
      assert.deepEqual(of.sort(), [...'abcdef']);
    }
  });

  scenario(`N8 Empty list, ${version}`, async (w) => {
    const server = await w.redis({ version });
    const node = await w.up({ F: list('nothing', { pollingIntervalInMs: 1000 }) });
    // The key is missing for several waits; nothing but a wait may come of it.
    const commands = ['blmove', 'brpoplpush', 'lmove', 'eval', 'evalsha'];
    const fetches = async () => {
      const calls = await Promise.all(commands.map((command) => server.calls(command)));
      return calls.reduce((sum, n) => sum + n, 0);
    };
    const before = await fetches();
    await until(async () => (await fetches()) > before + 2, 'some empty fetches');
    await server.cli.lpush('nothing', 'something');
    await node.succeeds('F', 1);
    assert.equal(node.records.filter((record) => record.level === 'error').length, 0);
  });
}

scenario('16 List, 3 hosts', async (w) => {
  const { cli } = await w.redis();
  const nodes = await w.cluster(3, { functions: { F: list('listTest', SHORT) } });
  await cli.lpush('listTest', ...numbers(100));
  await runsSucceed(nodes, 'F', 100, 25000);
  const seen = nodes.flatMap(messages).sort((a, b) => a - b);
  assert.deepEqual(seen, numbers(100));
});

scenario('17 List from the right', async (w) => {
  const { cli } = await w.redis();
  await cli.lpush('fixed', '1');
  await cli.rpush('fixed', '2');
  await cli.lpush('block', '1');
  await cli.rpush('block', '2');
  const right = { listPopFromBeginning: false, count: 1, ...LONG };
  const node = await w.up({
    Fixed: list('fixed', { ...right, polling: 'fixed' }),
    Block: list('block', right),
  });
  await node.succeeds('Fixed', 1);
  await node.succeeds('Block', 2);
  await stays(() => node.succeededCount('Fixed') === 1, 'one element per interval', 2000);
  const of = (key) =>
    node
      .values()
      .map((value) => JSON.parse(value))
      .filter((one) => one.Trigger === key);
  assert.deepEqual(
    of('fixed').map((one) => one.Message),
    ['2'],
  );
  assert.deepEqual(
    of('block').map((one) => one.Message),
    ['2', '1'],
  );
});

scenario('18 List types', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({
    Text: list('text', { payload: 'value' }, show('type(entry).__name__ + " " + entry')),
    Binary: list(
      'binary',
      { payload: 'value', dataType: 'binary' },
      show('type(entry).__name__ + " " + entry.decode()', 'bytes'),
    ),
    Object: list(
      'object',
      { payload: 'value' },
      show('entry.Name + entry.Field + entry.Random', 'Custom', 'class Custom: pass'),
    ),
  });
  const object = JSON.stringify({ Name: 'n', Field: 'f', Random: 'r' });
  await cli.lpush('text', 'testValue');
  await cli.lpush('binary', 'testValue');
  await cli.lpush('object', object);
  for (const f of ['Text', 'Binary', 'Object']) await node.succeeds(f, 1);
  assert.deepEqual(node.values().sort(), ['bytes testValue', 'nfr', 'str testValue']);
});

scenario('19 List batch', async (w) => {
  const { cli } = await w.redis();
  await cli.lpush('listTest', ...numbers(1000));
  const node = await w.up({
    F: list('listTest', { cardinality: 'many', count: 10 }, show('len(entry)', 'list')),
  });
  await node.succeeds('F', 100, 20000);
  assert.deepEqual(new Set(node.values()), new Set(['10']));
});

// More than Lua takes at a time, and more than one command used to be given.
const LARGE = { cardinality: 'many', count: 10000, pollingIntervalInMs: 100 };
const SIZE = show('len(entry)', 'list');

scenario('A large batch is whole', async (w) => {
  const { cli } = await w.redis();
  await cli.lpush('left', ...numbers(12000));
  await cli.lpush('right', ...numbers(12000));
  const pipeline = cli.pipeline();
  for (const i of numbers(12000)) pipeline.xadd('s', '*', 'n', i);
  await pipeline.exec();
  const node = await w.up({
    L: list('left', LARGE, SIZE),
    R: list('right', { ...LARGE, listPopFromBeginning: false }, SIZE),
    S: stream('s', { ...LARGE, deleteAfterProcess: true }, SIZE),
  });
  for (const f of ['L', 'R', 'S']) await node.succeeds(f, 2);
  assert.deepEqual(node.values().sort(), ['10000', '10000', '10000', '2000', '2000', '2000']);
  await until(async () => (await processing(cli)).length === 0, 'all are acknowledged');
  await until(async () => (await cli.xlen('s')) === 0, 'all are deleted');
});

scenario('N6 List, function fails', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: list('listTest', { maxDeliveryCount: 3, claimIdleMs: 200 }, FAIL) });
  await cli.lpush('listTest', Buffer.from('bad\0\xff', 'latin1'));
  const dead = await until(async () => {
    const found = await deadLetters(cli, 'F');
    return found.length && found;
  }, 'a dead letter');
  assert.equal(w.ledger().length, 3);
  assert.equal(dead.length, 1);
  assert.equal(dead[0].function, 'F');
  assert.equal(dead[0].key, 'listTest');
  assert.equal(dead[0].deliveries, '3');
  assert.match(dead[0].error, /ValueError: always/);
  assert.match(dead[0].time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  assert.equal(dead[0].element, 'bad\0\xff');
  assert.deepEqual(await processing(cli), []);
  assert.equal(await cli.llen('listTest'), 0);
  await stays(() => w.ledger().length === 3, 'no fourth delivery', 600);
  await node.stop();
});

scenario('N7 List, unreliable', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: list('listTest', { reliable: false, claimIdleMs: 200 }, FAIL) });
  await cli.lpush('listTest', 'bad');
  await node.fails('F', 1);
  await stays(() => node.startedCount('F') === 1, 'one delivery', 800);
  assert.equal(await cli.llen('listTest'), 0);
  assert.deepEqual(await cli.keys('redgrid:*'), []);
});

scenario('N21 count above length', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: list('listTest', { count: 100 }) });
  await cli.lpush('listTest', 'a', 'b', 'c');
  await node.succeeds('F', 3);
});

scenario('N21 Slow function', async (w) => {
  const { cli } = await w.redis();
  const code = `
import time
import testlib

def main(entry):
    testlib.record("+")
    time.sleep(0.5)
    testlib.record("-")
`;
  const node = await w.up({ F: list('listTest', { count: 10 }, { code }) });
  const before = Date.now();
  await cli.lpush('listTest', ...numbers(100));
  await node.succeeds('F', 100, 15000);
  const took = Date.now() - before;
  assert.ok(took >= 5000 && took < 7500, `about 5 s: ${took} ms`);
  let running = 0;
  let most = 0;
  for (const sign of w.ledger()) most = Math.max(most, (running += sign === '+' ? 1 : -1));
  assert.equal(most, 10);
});

scenario('N22 Wake-up', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ L: list('listTest', LONG), S: stream('streamTest', LONG) });
  const starts = async (f, send) => {
    const before = Date.now();
    await send();
    await until(() => node.startedCount(f) === 1, `${f} starts`);
    return node.find(new RegExp(`^Executing 'Functions\\.${f}'`))[0].at - before;
  };
  const ofList = await starts('L', () => cli.lpush('listTest', 'a'));
  const ofStream = await starts('S', () => cli.xadd('streamTest', '*', 'a', 'b'));
  assert.ok(ofList < 100, `list: ${ofList} ms`);
  assert.ok(ofStream < 100, `stream: ${ofStream} ms`);
});

scenario('N22 Backlog', async (w) => {
  const { cli } = await w.redis();
  await cli.lpush('listTest', ...numbers(1000));
  const node = await w.up({ F: list('listTest', LONG) });
  await node.succeeds('F', 1000, 9000);
});

scenario('N23 Fixed polling', async (w) => {
  const { cli } = await w.redis();
  await cli.lpush('listTest', ...numbers(30));
  const node = await w.up({
    F: list('listTest', { polling: 'fixed', count: 10, pollingIntervalInMs: 500 }),
  });
  await node.succeeds('F', 30);
  const at = node.find(/^Executing 'Functions\.F'/).map((record) => record.at);
  const [first, second, third] = [at[0], at[10], at[20]];
  assert.ok(
    at[9] - first < 300 && second - first >= 450 && second - first < 1000,
    `${second - first} ms`,
  );
  assert.ok(third - second >= 450 && third - second < 1000, `${third - second} ms`);
});

scenario('N34 Cluster lists, streams', { skip: 'cluster: later' }, async () => {});
