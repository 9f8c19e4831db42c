import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { list, pubsub, stream } from '../lib/app.js';
import { numbers } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const input = (command, more = {}) => ({
  type: 'redis',
  connection: 'redis',
  command,
  name: 'value',
  direction: 'in',
  ...more,
});
const output = (command, name = '$return') => ({
  type: 'redis',
  connection: 'redis',
  command,
  name,
  direction: 'out',
});

const showInput = {
  code: `
import json
import logging

def main(entry, value):
    logging.info("triggerValue:%s", json.dumps(value))
`,
};

async function showsInput(w, command, prepare) {
  const { cli } = await w.redis();
  await prepare(cli);
  const node = await w.up({ F: pubsub('start', {}, { ...showInput, bindings: [input(command)] }) });
  await cli.publish('start', 'inputKey');
  await node.succeeds('F', 1);
  return JSON.parse(node.values()[0]);
}

scenario('26 Input GET', async (w) => {
  assert.equal(
    await showsInput(w, 'GET inputKey', (cli) => cli.set('inputKey', 'inputValue')),
    'inputValue',
  );
});

scenario('26 Input GET of an expression', async (w) => {
  assert.equal(
    await showsInput(w, 'get {Message}', (cli) => cli.set('inputKey', 'inputValue')),
    'inputValue',
  );
});

scenario('26 Input of nothing', async (w) => {
  assert.equal(await showsInput(w, 'GET inputKey', async () => {}), null);
});

scenario('27 Input HGET', async (w) => {
  assert.equal(
    await showsInput(w, 'HGET inputKey field', (cli) =>
      cli.hset('inputKey', 'field', 'fieldValue'),
    ),
    'fieldValue',
  );
});

scenario('28 Input object', async (w) => {
  const { cli } = await w.redis();
  await cli.set('inputKey', '{"Name":"n","Field":"f"}');
  const code = `
import logging

class Custom:
    pass

def main(entry, value: Custom):
    logging.info("triggerValue:%s", value.Name + value.Field)
`;
  const node = await w.up({ F: pubsub('start', {}, { code, bindings: [input('GET inputKey')] }) });
  await cli.publish('start', 'x');
  await node.succeeds('F', 1);
  assert.deepEqual(node.values(), ['nf']);
});

const REPLIES = {
  bitcount: ['BITCOUNT text', '20'],
  exists: ['EXISTS text nothing', '1'],
  geodist: ['GEODIST geo a b', '166274.1516'],
  getbit: ['GETBIT text 1', '1'],
  getrange: ['GETRANGE text 0 1', 'so'],
  hexists: ['HEXISTS hash field', '1'],
  hget: ['HGET hash gone', null],
  hlen: ['HLEN hash', '1'],
  lindex: ['LINDEX list -1', 'last'],
  llen: ['LLEN list', '2'],
  pttl: ['PTTL nothing', '-2'],
  substr: ['SUBSTR text 0 1', 'so'],
  ttl: ['TTL text', '-1'],
  type: ['TYPE list', 'list'],
  zcard: ['ZCARD geo', '2'],
  zscore: ['ZSCORE scores a', '1.5'],
  zscoregone: ['ZSCORE scores b', null],
};

for (const protocol of ['resp2', 'resp3'])
  scenario(`26 Input: every kind of reply, ${protocol}`, async (w) => {
    const { cli, address } = await w.redis();
    await cli.set('text', 'some');
    await cli.hset('hash', 'field', 'x');
    await cli.rpush('list', 'first', 'last');
    await cli.geoadd('geo', 13.361389, 38.115556, 'a', 15.087269, 37.502669, 'b');
    await cli.zadd('scores', 1.5, 'a');
    const names = Object.keys(REPLIES);
    const code = `
import json
import logging

def main(entry, ${names.join(', ')}):
    logging.info("triggerValue:%s", json.dumps([${names.join(', ')}]))
`;
    const bindings = names.map((name) => input(REPLIES[name][0], { name }));
    const node = await w.up({
      functions: {
        F: pubsub('start', {}, { code, bindings }),
        Array: pubsub('start', {}, { ...showInput, bindings: [input('ZDIFF 1 scores')] }),
      },
      settings: { redis: `${address},protocol=${protocol}` },
    });
    await cli.publish('start', 'x');
    await node.succeeds('F', 1);
    const values = JSON.parse(node.values()[0]);
    assert.deepEqual(
      Object.fromEntries(names.map((name, i) => [name, values[i]])),
      Object.fromEntries(names.map((name) => [name, REPLIES[name][1]])),
    );
    await node.fails('Array', 1);
    assert.ok(node.has(/the command answers with an array, which is not supported/));
  });

scenario('26 Input: a command that writes is refused', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({
    F: pubsub('start', {}, { ...showInput, bindings: [input('SET a b')] }),
  });
  await node.line(/Command 'SET' not supported for Redis Input Binding\./i);
  await cli.publish('start', 'x');
  assert.equal(await cli.get('a'), null);
});

scenario('26 Input: an error reply fails the run', async (w) => {
  const { cli } = await w.redis();
  await cli.rpush('inputKey', 'a list');
  const node = await w.up({
    F: pubsub('start', {}, { ...showInput, bindings: [input('GET inputKey')] }),
  });
  await cli.publish('start', 'x');
  await node.fails('F', 1);
  assert.ok(node.has(/WRONGTYPE/));
});

// In C, whose worker shows what the host sent; others repair or refuse it themselves.
scenario('26 Input: bytes that are no UTF-8, as text and as they are', async (w) => {
  const { cli } = await w.redis();
  const code = `
#include <redgrid/function.h>
#include <stdio.h>

static void show(struct redgrid_invocation *run, const char *name)
{
    struct redgrid_slice value = redgrid_input(run, name);
    char hex[64] = "";

    for (size_t i = 0; i < value.len; i++)
        (void)sprintf(hex + 2 * i, "%02x", (unsigned char)value.data[i]);
    redgrid_log(run, REDGRID_INFO, "triggerValue:%s %s", name, hex);
}

int NAME(struct redgrid_invocation *run)
{
    show(run, "value");
    show(run, "raw");
    return REDGRID_OK;
}
`;
  const bindings = [
    input('GET inputKey'),
    input('GET inputKey', { name: 'raw', dataType: 'binary' }),
  ];
  const node = await w.up({ functions: { F: pubsub('start', {}, { code, bindings }) }, lang: 'c' });
  await cli.set('inputKey', Buffer.from([0x61, 0xff, 0x62]));
  await cli.publish('start', 'x');
  await node.succeeds('F', 1);
  assert.deepEqual(node.values(), ['value 61efbfbd62', 'raw 61ff62']);
});

scenario('29 Output DEL', async (w) => {
  const { cli } = await w.redis();
  const code = 'import json\n\ndef main(entry):\n    return json.loads(entry)["Message"]\n';
  const node = await w.up({
    F: pubsub('__keyevent@0__:set', {}, { code, bindings: [output('DEL')] }),
  });
  await cli.set('keyTrigger', 'value');
  await node.succeeds('F', 1);
  assert.equal(await cli.exists('keyTrigger'), 0);
});

scenario('30 Output XDEL', async (w) => {
  const { cli } = await w.redis();
  const code = `
def main(entry, context):
    return "streamTest2 " + context.trigger_metadata["Id"]
`;
  const node = await w.up({ F: stream('streamTest2', {}, { code, bindings: [output('XDEL')] }) });
  await cli.xadd('streamTest2', '*', 'a', 'b');
  await node.succeeds('F', 1);
  assert.equal(await cli.xlen('streamTest2'), 0);
});

scenario('31 Output many', async (w) => {
  const { cli } = await w.redis();
  const code = `
import json

def main(entry, out):
    out.set(["key%s %s" % (n, n) for n in json.loads(entry)["Message"].split(",")])
`;
  const node = await w.up({ F: pubsub('start', {}, { code, bindings: [output('SET', 'out')] }) });
  await cli.publish('start', numbers(100).join(','));
  await node.succeeds('F', 1);
  const names = numbers(100).map((n) => `key${n}`);
  assert.deepEqual(await cli.mget(...names), numbers(100));
  assert.equal((await cli.keys('key*')).length, 100);
});

scenario('31 Output of a function that fails is not sent', async (w) => {
  const { cli } = await w.redis();
  const code =
    'def main(entry, out):\n    out.set("key value")\n    raise ValueError("after all")\n';
  const node = await w.up({ F: pubsub('start', {}, { code, bindings: [output('SET', 'out')] }) });
  await cli.publish('start', 'x');
  await node.fails('F', 1);
  assert.equal(await cli.get('key'), null);
});

scenario('31 Output: an error reply fails the run', async (w) => {
  const { cli } = await w.redis();
  const code = 'def main(entry):\n    return "key"\n';
  const node = await w.up({
    F: list('q', { maxDeliveryCount: 1 }, { code, bindings: [output('SET')] }),
  });
  await cli.rpush('q', 'x');
  await node.fails('F', 1);
  assert.ok(node.has(/wrong number of arguments/));
});

// What is returned, and the elements that RPUSH then adds.
const VALUES = [
  ['"text"', ['text']],
  ['"two words"', ['two', 'words']],
  ['b"\\xff bytes"', ['\xff', 'bytes']],
  ['5', ['5']],
  ['-1 << 62', ['-4611686018427387904']],
  ['1 << 70', ['1180591620717411303424']],
  ['0.1', ['0.1']],
  ['1e300', ['1e+300']],
  ['True', ['true']],
  ['{"a": 0.1, "b": [1]}', ['{"a":0.1,"b":[1]}']],
  ['[1, 2.5, "three four"]', ['1', '2.5', 'three', 'four']],
  ['[{"a": 1}, None, False]', ['{"a":1}', 'false']],
  ['[b"x", b"\\xfe"]', ['x', '\xfe']],
  ['\'["a", "b"]\'', ['a', 'b']],
  ['[]', []],
  ['None', []],
];

scenario('31 Output: every kind of value', async (w) => {
  const { cli } = await w.redis();
  const code = `
VALUES = [${VALUES.map(([value]) => value).join(', ')}]

def main(entry):
    return VALUES[int(entry)]
`;
  const bindings = [output('RPUSH out')];
  const node = await w.up({ F: list('q', { payload: 'value', count: 1 }, { code, bindings }) });
  for (const [i, [value, expected]] of VALUES.entries()) {
    await cli.rpush('q', i);
    await until(() => node.succeededCount('F') === i + 1, () => `${value} is sent`);
    const added = await cli.lrangeBuffer('out', 0, -1);
    assert.deepEqual(added.map((bytes) => bytes.toString('latin1')), expected, value);
    await cli.del('out');
  }
});

scenario('31 Output: refused, the message stays and is delivered again', async (w) => {
  const { cli } = await w.redis();
  const code = 'def main(entry):\n    return "out value"\n';
  const more = { code, bindings: [output('RPUSH')] };
  const quick = { claimIdleMs: 300 };
  await cli.set('out', 'of another type');
  const node = await w.up({ L: list('q', quick, more), S: stream('s', quick, more) });
  await cli.rpush('q', 'x');
  await cli.xadd('s', '*', 'a', 'b');
  for (const f of ['L', 'S']) await node.fails(f, 2);
  assert.ok(node.has(/binding '\$return': WRONGTYPE/));
  assert.equal((await cli.xpending('s', 'S'))[0], 1, 'not acknowledged');
  await cli.del('out');
  for (const f of ['L', 'S']) await node.succeeds(f, 1);
  assert.deepEqual(await cli.lrange('out', 0, -1), ['value', 'value']);
});

scenario('38, 39 Connection in ConnectionStrings and in plain settings', async (w) => {
  const { cli, address } = await w.redis();
  const app = w.app({
    Plain: list('plain', { connectionStringSetting: 'mine' }),
    Strings: list('strings', { connectionStringSetting: 'theirs' }),
    Prefixed: list('prefixed', { connectionStringSetting: 'prefix' }),
  });
  const file = path.join(app, 'local.settings.json');
  const settings = JSON.parse(fs.readFileSync(file, 'utf8'));
  Object.assign(settings.Values, {
    mine: address,
    AzureWebJobsprefix: address,
    prefix: 'nowhere:1',
  });
  settings.ConnectionStrings = { theirs: address };
  fs.writeFileSync(file, JSON.stringify(settings));
  const node = await w.up(app);
  for (const key of ['plain', 'strings', 'prefixed']) await cli.rpush(key, 'x');
  for (const f of ['Plain', 'Strings', 'Prefixed']) await node.succeeds(f, 1);
});

scenario('40, 44 Blank', async (w) => {
  await w.redis();
  const functions = { Good: list('good') };
  for (const [i, blank] of [undefined, '', ' '].entries()) {
    functions[`Key${i}`] = list(blank);
    functions[`Channel${i}`] = pubsub(blank);
    functions[`Connection${i}`] = list('q', { connectionStringSetting: blank });
  }
  const node = await w.up(functions);
  for (const i of [0, 1, 2]) {
    for (const [f, property] of [
      ['Key', 'key'],
      ['Channel', 'channel'],
      ['Connection', 'connection'],
    ]) {
      const name = `${f}${i}`;
      const found = node.records.filter(
        (record) =>
          record.level === 'error' && `${record.function} ${record.message}`.includes(name),
      );
      assert.equal(found.length, 1, `one error about ${name}`);
      assert.match(found[0].message.toLowerCase(), new RegExp(property), name);
    }
  }
  await w.servers[0].cli.rpush('good', 'x');
  await node.succeeds('Good', 1);
});

scenario('41 Unknown connection is taken as a literal; N26 Literal connection', async (w) => {
  const { cli, address } = await w.redis();
  const node = await w.up({ F: list('q', { connectionString: address }) });
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
});

scenario('42, 43, N26 %name%', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({
    functions: {
      Key: list('a%x%b%y%', { connectionStringSetting: '%which%' }),
      Channel: pubsub('%pubsubkey%'),
      Unknown: pubsub('%invalidStringKey%'),
    },
    settings: { x: '1', y: '2', which: 'redis', pubsubkey: 'PubSub' },
  });
  await cli.rpush('a1b2', 'x');
  await cli.publish('PubSub', 'x');
  await cli.publish('%invalidStringKey%', 'x');
  for (const f of ['Key', 'Channel', 'Unknown']) await node.succeeds(f, 1);
  assert.ok(
    node.records.some(
      (record) => record.level === 'warn' && /%invalidStringKey%/.test(record.message),
    ),
  );
});

scenario('46 Bad input; N45 Validation', async (w) => {
  await w.redis();
  const valid = {
    type: 'redisListTrigger',
    name: 'entry',
    connectionStringSetting: 'redis',
    key: 'q',
    direction: 'in',
  };
  const rows = {
    Json: ['{oops', /function\.json/],
    Type: [{ bindings: [{ ...valid, type: 'redisTrigger' }] }, /redisTrigger|trigger/i],
    None: [{ bindings: [] }, /At least one binding must be declared\./],
    Twice: [
      { bindings: [valid, { ...valid, type: 'redis', command: 'GET a' }] },
      /Multiple bindings with name 'entry' discovered\. Binding names must be unique\./,
    ],
    NoTrigger: [
      { bindings: [input('GET a')] },
      /No trigger binding specified\. A function must have a trigger input binding\./,
    ],
    Triggers: [
      { bindings: [valid, { ...valid, name: 'other' }] },
      /Multiple trigger bindings defined\. A function can only have a single trigger binding\./,
    ],
    Direction: [
      { bindings: [{ ...valid, direction: 'sideways' }] },
      /'sideways' is not a valid binding direction\./,
    ],
    Binding: [{ bindings: [{ ...valid, name: '1st' }] }, /1st/],
    Script: [{ bindings: [valid], scriptFile: 'missing.py' }, /missing\.py/],
    Count: [{ bindings: [{ ...valid, count: 0 }] }, /count/],
    Payload: [{ bindings: [{ ...valid, payload: 'xml' }] }, /payload/],
    Keyword: [
      { bindings: [{ ...valid, connectionStringSetting: 'localhost,colour=red' }] },
      /Keyword 'colour' is not supported\./,
    ],
    Retry: [
      { bindings: [valid], retry: { strategy: 'fixedDelay', maxRetryCount: 3 } },
      /delayInterval/,
    ],
    '1name': [{ bindings: [valid] }, /'1name' is not a valid function name\./],
  };
  const functions = { Good: list('good') };
  for (const [name, [json]] of Object.entries(rows)) functions[name] = { json };
  const node = await w.up(functions);
  for (const [name, [, text]] of Object.entries(rows)) {
    const found = node.records.filter(
      (record) => record.level === 'error' && `${record.function} ${record.message}`.includes(name),
    );
    assert.ok(
      found.some((record) => text.test(record.message)),
      `${name}: ${text}: ${found.map((record) => record.message)}`,
    );
  }
  assert.equal(node.count(/^Generating 1 job function\(s\)/), 1);
  await w.servers[0].cli.rpush('good', 'x');
  await node.succeeds('Good', 1);
});

scenario('N45 Selection', async (w) => {
  const { cli } = await w.redis();
  const functions = Object.fromEntries(['A', 'B', 'C', 'D'].map((f) => [f, pubsub('ch')]));
  functions.B.disabled = true;
  const app = w.app({
    functions,
    settings: { 'AzureWebJobs.C.Disabled': 'true' },
    host: { functions: ['A', 'B', 'C', 'Gone'] },
  });
  const node = await w.up(app);
  assert.equal(node.count(/^Generating 1 job function\(s\)/), 1);
  assert.equal(node.count(/host\.json: functions: there is no function 'Gone'/), 1);
  await cli.publish('ch', 'x');
  await node.succeeds('A', 1);
  await stays(
    () => ['B', 'C', 'D'].every((f) => node.startedCount(f) === 0),
    'the others do not run',
  );
});

scenario('N45 Selection by --functions', async (w) => {
  const { cli } = await w.redis();
  const app = w.app({ A: pubsub('ch'), B: pubsub('ch'), C: pubsub('ch') });
  const again = ['--app', app, `${app}/`]; // two more names of the same folder
  const node = await w.up(app, { args: ['--functions', 'A', 'C', 'Gone', ...again] });
  assert.equal(node.count(/^Generating 2 job function\(s\)/), 1);
  assert.equal(node.count(/no app has a function '[^G]/), 0);
  assert.equal(node.count(/no app has a function 'Gone'/), 1);
  await cli.publish('ch', 'x');
  for (const f of ['A', 'C']) await node.succeeds(f, 1);
  assert.equal(node.startedCount('B'), 0);
});

scenario('N25 Aliases, case, defaults', async (w) => {
  const { cli, address } = await w.redis();
  const json = (binding) => ({
    json: { bindings: [{ name: 'entry', direction: 'in', ...binding }], scriptFile: '__init__.py' },
  });
  const node = await w.up({
    functions: {
      Old: json({
        type: 'redisListsTrigger',
        connectionString: address,
        keys: 'old',
        batchSize: '16',
        listPopFromBeginning: 'false',
      }),
      Case: json({
        TYPE: 'REDISLISTTRIGGER',
        ConnectionStringSetting: 'redis',
        KEY: 'case',
        Count: '2',
        Unknown: 1,
      }),
      Ga: json({
        type: 'redisListTrigger',
        connection: 'redis',
        key: 'ga',
        maxBatchSize: 16,
        listDirection: 'RIGHT',
        direction: 'IN',
      }),
      Streams: json({
        type: 'redisStreamsTrigger',
        connectionString: address,
        keys: 'streams',
        consumerGroup: 'mine',
      }),
      Same: json({
        type: 'redisListTrigger',
        connectionStringSetting: 'redis',
        connection: 'redis',
        key: 'same',
      }),
      Differ: json({
        type: 'redisListTrigger',
        connectionStringSetting: 'redis',
        key: 'x',
        keys: 'y',
      }),
      Minimal: json({
        type: 'redisPubSubTrigger',
        connectionStringSetting: 'redis',
        channel: 'minimal',
      }),
    },
  });
  for (const key of ['old', 'case', 'ga', 'same']) await cli.rpush(key, 'x');
  await cli.xadd('streams', '*', 'a', 'b');
  await cli.publish('minimal', 'x');
  for (const f of ['Old', 'Case', 'Ga', 'Streams', 'Same', 'Minimal']) await node.succeeds(f, 1);
  assert.deepEqual(
    (await cli.xinfo('GROUPS', 'streams')).map((group) => group[1]),
    ['mine'],
  );
  const about = (name, level) =>
    node.records.filter(
      (record) => record.level === level && `${record.function} ${record.message}`.includes(name),
    );
  assert.equal(about('Differ', 'error').length, 1);
  assert.ok(about('Same', 'warn').length >= 1);
  const scale = async (f) => (await node.get(`/api/scale/${f}`)).json();
  assert.equal((await scale('Case')).divisor, 100);
  assert.equal((await scale('Ga')).divisor, 16);
});

scenario('Metadata of every trigger', async (w) => {
  const { cli } = await w.redis();
  const code = `
import json
import logging

def main(entry, context):
    logging.info("triggerValue:%s", json.dumps(context.trigger_metadata, sort_keys=True))
`;
  const value = { payload: 'value' };
  const node = await w.up({
    List: list('q', value, { code }),
    Stream: stream('s', value, { code }),
    PubSub: pubsub('c*', value, { code }),
  });
  const next = async (f, send) => {
    const before = node.values().length;
    await send();
    await until(() => node.values().length > before, `${f} runs`);
    return JSON.parse(node.values()[before]);
  };
  assert.deepEqual(await next('List', () => cli.rpush('q', 'hi')), {
    DeliveryCount: '1',
    Key: 'q',
    Value: 'hi',
  });
  assert.deepEqual(await next('Stream', () => cli.xadd('s', '1-1', 'a', 'b')), {
    DeliveryCount: '1',
    Id: '1-1',
    Key: 's',
    Values: { a: 'b' },
  });
  assert.deepEqual(await next('PubSub', () => cli.publish('ch', 'hi')), {
    Channel: 'ch',
    Message: 'hi',
    SubscriptionChannel: 'c*',
  });
});
