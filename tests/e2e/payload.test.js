import assert from 'node:assert/strict';
import { list, pubsub, stream } from '../lib/app.js';
import { show } from '../lib/code.js';
import { scenario } from '../lib/scenario.js';

const bytes = (...values) => Buffer.from(values);

scenario('N17 Binary value', async (w) => {
  const { cli } = await w.redis();
  const raw = { payload: 'value', dataType: 'binary' };
  const node = await w.up({
    List: list('q', raw, show('"list " + entry.hex()', 'bytes')),
    PubSub: pubsub('ch', raw, show('"pubsub " + entry.hex()', 'bytes')),
    Stream: stream('s', raw, show('"stream " + entry.decode()', 'bytes')),
  });
  await cli.lpush('q', bytes(0x00, 0xff, 0xfe));
  await cli.publish('ch', bytes(0x00, 0xff, 0xfe));
  await cli.xadd('s', '1-1', 'a', bytes(0x61, 0xff));
  for (const f of ['List', 'PubSub', 'Stream']) await node.succeeds(f, 1);
  assert.deepEqual(node.values().sort(), [
    'list 00fffe',
    'pubsub 00fffe',
    'stream {"Id":"1-1","Values":{"a":"a\ufffd"}}',
  ]);
});

scenario('N18 Invalid UTF-8', async (w) => {
  const { cli } = await w.redis();
  const bad = bytes(0x61, 0xff, 0x62);
  const value = { payload: 'value' };
  const node = await w.up({
    List: list('q', value),
    PubSub: pubsub('ch', value),
    Stream: stream('s', value),
    Model: list('m'),
  });
  for (const text of [bad, 'next']) {
    await cli.rpush('q', text);
    await cli.publish('ch', text);
    await cli.xadd('s', '*', text, text);
    await cli.rpush('m', text);
  }
  for (const f of ['List', 'PubSub', 'Stream', 'Model']) await node.succeeds(f, 2);
  const seen = node.values();
  assert.equal(seen.filter((text) => text === 'a\ufffdb').length, 2);
  assert.equal(seen.filter((text) => text.endsWith('"Values":{"a\ufffdb":"a\ufffdb"}}')).length, 1);
  assert.ok(seen.includes('{"Trigger":"m","Message":"a\ufffdb"}'));
  assert.equal(node.count(/restart/i), 0, 'the worker lives');
});

scenario('N19 Empty text; repeated field', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ List: list('q'), PubSub: pubsub('ch'), Stream: stream('s') });
  await cli.rpush('q', '');
  await cli.publish('ch', '');
  await cli.xadd('s', '*', 'a', '1', 'a', '2');
  await cli.xadd('s', '*', '', '');
  await node.succeeds('List', 1);
  await node.succeeds('PubSub', 1);
  await node.succeeds('Stream', 2);
  assert.deepEqual(node.values().sort(), [
    '{"Trigger":"ch","Message":""}',
    '{"Trigger":"q","Message":""}',
    '{"Trigger":"s","Message":"{\\"\\":\\"\\"}"}',
    '{"Trigger":"s","Message":"{\\"a\\":\\"2\\"}"}',
  ]);
});

scenario('N20 Large value', async (w) => {
  const { cli } = await w.redis();
  const size = 16 * 1024 * 1024;
  const node = await w.up({ F: list('q', { payload: 'value' }, show('len(entry)')) });
  await cli.rpush('q', 'x'.repeat(size));
  await node.succeeds('F', 1, 30000);
  assert.deepEqual(node.values(), [String(size)]);
});

// The table of 5.1: how each trigger shows one message in each mode.
const MODES = {
  list: {
    model: '{"Trigger":"q","Message":"hi"}',
    ga: 'hi',
    value: 'hi',
  },
  stream: {
    model: '{"Trigger":"s","Message":"{\\"a\\":\\"b\\"}"}',
    ga: '{"Id":"1-1","Values":{"a":"b"}}',
    value: '{"Id":"1-1","Values":{"a":"b"}}',
  },
  pubsub: {
    model: '{"Trigger":"ch1","Message":"hi"}',
    ga: '{"SubscriptionChannel":"ch*","Channel":"ch1","Message":"hi"}',
    value: 'hi',
  },
};

async function showModes(w, options, host) {
  const { cli } = await w.redis();
  const ga = options.connection ? { pattern: true } : {};
  const functions = {
    List: list('q', options, show('"list=" + entry')),
    Stream: stream('s', options, show('"stream=" + entry')),
    PubSub: pubsub('ch*', { ...options, ...ga }, show('"pubsub=" + entry')),
  };
  const node = await w.up({ functions, host });
  await cli.rpush('q', 'hi');
  await cli.xadd('s', '1-1', 'a', 'b');
  await cli.publish('ch1', 'hi');
  for (const f of Object.keys(functions)) await node.succeeds(f, 1);
  return Object.fromEntries(
    node.values().map((text) => [text.split('=')[0], text.slice(text.indexOf('=') + 1)]),
  );
}

const expected = (mode) =>
  Object.fromEntries(Object.entries(MODES).map(([key, value]) => [key, value[mode]]));
const inHost = (payload) => ({ extensions: { redis: { payload } } });

for (const [how, mode, options, host] of [
  ['by names: the requirements', 'model', {}],
  ['by names: GA', 'ga', { connection: 'redis' }],
  ['by property: value', 'value', { payload: 'value' }],
  ['by property over names: ga', 'ga', { payload: 'GA' }],
  ['by host.json: value', 'value', {}, inHost('value')],
  [
    'by property over host.json: model',
    'model',
    { payload: 'model', connection: 'redis' },
    inHost('ga'),
  ],
]) {
  scenario(`N24 Payload modes, ${how}`, async (w) => {
    assert.deepEqual(await showModes(w, options, host), expected(mode));
  });
}
