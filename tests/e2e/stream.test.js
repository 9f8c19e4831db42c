import assert from 'node:assert/strict';
import { stream } from '../lib/app.js';
import { FAIL, show } from '../lib/code.js';
import { addEntries, deadLetters, pending } from '../lib/keys.js';
import { runsSucceed } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const SHORT = { pollingIntervalInMs: 100 };
const QUICK = { claimIdleMs: 200 };

for (const version of ['6.0', '6.2', 'newest']) {
  scenario(`21 Stream, ${version}`, async (w) => {
    const { cli } = await w.redis({ version });
    const node = await w.up({ F: stream('streamTest', SHORT) });
    await cli.xadd('streamTest', '*', 'a', 'b', 'c', 'd');
    await node.succeeds('F', 1);
    assert.deepEqual(node.values(), [
      JSON.stringify({ Trigger: 'streamTest', Message: '{"a":"b","c":"d"}' }),
    ]);
    await until(async () => (await pending(cli, 'streamTest')) === 0, 'acknowledged');
    assert.equal(await cli.xlen('streamTest'), 1);
    await node.line(
      /^Executing 'Functions\.F' \(Reason='Redis stream entry detected from key 'streamTest' at /,
    );
    await node.stop();
    assert.deepEqual(await cli.xinfo('CONSUMERS', 'streamTest', 'F'), [], 'its consumer is gone');
  });

  scenario(`N1 Stream, function fails, ${version}`, async (w) => {
    const { cli } = await w.redis({ version });
    await w.up({ F: stream('streamTest', { maxDeliveryCount: 3, ...QUICK }, FAIL) });
    const id = await cli.xadd('streamTest', '*', 'a', '1', 'b', Buffer.from('x\0\xff', 'latin1'));
    const dead = await until(async () => {
      const found = await deadLetters(cli, 'F');
      return found.length && found;
    }, 'a dead letter');
    assert.equal(w.ledger().length, 3);
    assert.equal(dead.length, 1);
    const { time, error, ...rest } = dead[0];
    assert.deepEqual(rest, {
      function: 'F',
      key: 'streamTest',
      id,
      deliveries: '3',
      'f:a': '1',
      'f:b': 'x\0\xff',
    });
    assert.match(error, /ValueError: always/);
    assert.match(time, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    assert.equal(await pending(cli, 'streamTest'), 0);
    assert.equal(await cli.xlen('streamTest'), 1);
    await stays(() => w.ledger().length === 3, 'no fourth delivery', 600);
  });
}

scenario('22 Stream, 3 hosts', async (w) => {
  const { cli } = await w.redis();
  const nodes = await w.cluster(3, { functions: { F: stream('streamTest', SHORT) } });
  await addEntries(cli, 'streamTest', 100);
  await runsSucceed(nodes, 'F', 100);
  assert.equal(new Set(nodes.flatMap((node) => node.values())).size, 100, 'each entry once');
  await until(async () => (await pending(cli, 'streamTest')) === 0, 'acknowledged');
});

scenario('23 Stream types', async (w) => {
  const { cli } = await w.redis();
  const fields = `
class Fields:
    def __init__(self, Id, Values):
        self.text = Id + Values["Name"] + Values["Field"]
`;
  const node = await w.up({
    Text: stream('s', { payload: 'value' }, show('"text " + json.loads(entry)["Values"]["Name"]')),
    Binary: stream(
      's',
      { payload: 'value', dataType: 'binary' },
      show('"binary " + json.loads(entry)["Values"]["Field"]', 'bytes'),
    ),
    Object: stream('s', { payload: 'value' }, show('"object " + entry.text', 'Fields', fields)),
  });
  await cli.xadd('s', '7-1', 'Name', 'randomName', 'Field', 'someField');
  for (const f of ['Text', 'Binary', 'Object']) await node.succeeds(f, 1);
  assert.deepEqual(node.values().sort(), [
    'binary someField',
    'object 7-1randomNamesomeField',
    'text randomName',
  ]);
});

scenario('24 Stream batch', async (w) => {
  const { cli } = await w.redis();
  await addEntries(cli, 'streamTest', 1000);
  const node = await w.up({
    F: stream('streamTest', { cardinality: 'many', count: 10 }, show('len(entry)', 'list')),
  });
  await node.succeeds('F', 100, 20000);
  assert.deepEqual(new Set(node.values()), new Set(['10']));
  await until(async () => (await pending(cli, 'streamTest')) === 0, 'acknowledged');
});

scenario('24 Stream batch that fails stays pending as a whole', async (w) => {
  const { cli } = await w.redis();
  await addEntries(cli, 'streamTest', 10);
  const code = `
import testlib

def main(entry: list):
    testlib.record(str(len(entry)))
    if testlib.is_first("run"):
        raise ValueError("the first time")
`;
  const batch = { cardinality: 'many', count: 10, ...QUICK };
  const node = await w.up({ F: stream('streamTest', batch, { code }) });
  await node.succeeds('F', 1);
  assert.deepEqual(w.ledger(), ['10', '10']);
  await until(async () => (await pending(cli, 'streamTest')) === 0, 'acknowledged');
});

for (const hosts of [1, 3]) {
  scenario(`25 Stream, several keys, ${hosts} hosts`, async (w) => {
    const { cli } = await w.redis();
    const functions = { F: stream('streamKey1 streamKey2 streamKey3', SHORT) };
    const nodes = await w.cluster(hosts, { functions });
    for (const key of ['streamKey1', 'streamKey2', 'streamKey3'])
      await cli.xadd(key, '*', 'a', 'b');
    await runsSucceed(nodes, 'F', 3);
    const triggers = nodes
      .flatMap((node) => node.values())
      .map((value) => JSON.parse(value).Trigger);
    assert.deepEqual(triggers.sort(), ['streamKey1', 'streamKey2', 'streamKey3']);
  });
}

scenario('N2 Stream, fails once', async (w) => {
  const { cli } = await w.redis();
  const code = `
import testlib

def main(entry):
    if testlib.is_first("run"):
        raise ValueError("the first time")
`;
  const node = await w.up({ F: stream('streamTest', QUICK, { code }) });
  await cli.xadd('streamTest', '*', 'a', 'b');
  await node.succeeds('F', 1);
  assert.equal(node.failedCount('F'), 1);
  await until(async () => (await pending(cli, 'streamTest')) === 0, 'acknowledged');
  assert.deepEqual(await deadLetters(cli, 'F'), []);
});

scenario('N3 ackOnFailure', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: stream('streamTest', { ackOnFailure: true, ...QUICK }, FAIL) });
  await cli.xadd('streamTest', '*', 'a', 'b');
  await node.fails('F', 1);
  await until(async () => (await pending(cli, 'streamTest')) === 0, 'acknowledged');
  await stays(() => w.ledger().length === 1, 'one delivery', 600);
  assert.deepEqual(await deadLetters(cli, 'F'), []);
});

// The second time it waits, so that a test can look before the entry becomes a dead letter.
const FAIL_SLOWLY = { code: `
import testlib

def main(entry):
    if not testlib.is_first("bad"):
        testlib.wait_for("again")
    raise ValueError("always")
` };

scenario('N4 deleteAfterProcess', async (w) => {
  const { cli } = await w.redis();
  const more = { deleteAfterProcess: true, maxDeliveryCount: 2, ...QUICK };
  const node = await w.up({ Good: stream('good', more), Bad: stream('bad', more, FAIL_SLOWLY) });
  await cli.xadd('good', '*', 'a', 'b');
  await node.succeeds('Good', 1);
  await until(async () => (await cli.xlen('good')) === 0, 'deleted after success');
  await cli.xadd('bad', '*', 'a', 'b');
  await until(() => node.startedCount('Bad') === 2, 'the last delivery');
  assert.equal(await cli.xlen('bad'), 1, 'kept until then');
  w.touch('again');
  await until(async () => (await deadLetters(cli, 'Bad')).length === 1, 'a dead letter');
  assert.equal(await cli.xlen('bad'), 0, 'and deleted with it');
});

scenario('N5 startFrom', async (w) => {
  const { cli } = await w.redis();
  await addEntries(cli, 'streamTest', 5);
  const node = await w.up({
    All: stream('streamTest', { startFrom: '0' }),
    New: stream('streamTest', { startFrom: '$' }),
  });
  await cli.xadd('streamTest', '*', 'n', 'last');
  await node.succeeds('All', 6);
  await node.succeeds('New', 1);
});
