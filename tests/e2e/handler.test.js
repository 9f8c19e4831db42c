import assert from 'node:assert/strict';
import fs from 'node:fs';
import { handler, list, pubsub, stream } from '../lib/app.js';
import { pending, processing } from '../lib/keys.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
const ECHO = {
  behaviour:
    'record(JSON.stringify({ name, request, headers: req.headers })); reply(res, 200, {});',
};

const requests = (w) => w.ledger().map((line) => JSON.parse(line));

async function requestOf(w, name) {
  return until(() => requests(w).find((one) => one.name === name), `a request for ${name}`);
}

scenario('N41 Handler: encoding', async (w) => {
  const { cli } = await w.redis();
  const value = { payload: 'value' };
  await cli.rpush('batch', '1', '2');
  const node = await w.up({
    functions: {
      Text: list('text', value),
      Model: list('model'),
      Stream: stream('streamTest', value),
      Binary: list('binary', { ...value, dataType: 'binary' }),
      Batch: list('batch', { ...value, cardinality: 'many', count: 2 }),
      Number: list('number', value),
      PubSub: pubsub('ch*'),
    },
    ...handler(ECHO),
  });
  await cli.rpush('text', 'hello');
  await cli.rpush('model', 'hello');
  await cli.xadd('streamTest', '1-0', 'a', 'b');
  await cli.rpush('binary', Buffer.from([0, 255, 254]));
  await cli.rpush('number', '5');
  await cli.publish('ch1', 'hello');
  const of = async (name) => (await requestOf(w, name)).request;

  const text = await requestOf(w, 'Text');
  assert.equal(text.request.Data.entry, '"hello"');
  assert.match(text.headers['x-azure-functions-invocationid'], GUID);
  assert.equal(text.headers['content-type'], 'application/json; charset=utf-8');
  assert.match(text.headers['user-agent'], /^Azure-Functions-Host\/./);
  assert.equal(
    text.headers['user-agent'].split('/')[1],
    text.headers['x-azure-functions-hostversion'],
  );
  const { sys, ...metadata } = text.request.Metadata;
  assert.deepEqual(metadata, { Key: '"text"', Value: '"hello"', DeliveryCount: '"1"' });
  assert.equal(sys.MethodName, 'Text');
  assert.match(sys.RandGuid, GUID);
  assert.match(sys.UtcNow, /^\d{4}-\d\d-\d\dT[\d:.]+Z$/);

  const model = await of('Model');
  assert.equal(model.Data.entry, '"{\\"Trigger\\":\\"model\\",\\"Message\\":\\"hello\\"}"');
  assert.equal(model.Metadata.Message, '"hello"');
  assert.equal(model.Metadata.Trigger, undefined);

  const entry = await of('Stream');
  assert.equal(entry.Data.entry, '"{\\"Id\\":\\"1-0\\",\\"Values\\":{\\"a\\":\\"b\\"}}"');
  assert.equal(entry.Metadata.Key, '"streamTest"');
  assert.equal(entry.Metadata.Id, '"1-0"');
  assert.deepEqual(entry.Metadata.Values, { a: 'b' });

  assert.equal((await of('Binary')).Data.entry, '"AP/+"'.slice(1, -1));
  assert.deepEqual(JSON.parse((await of('Batch')).Data.entry), ['1', '2']);
  assert.equal((await of('Batch')).Metadata.Count, '"2"'.slice(1, -1));
  assert.equal((await of('Number')).Data.entry, '"5"');
  const message = await of('PubSub');
  assert.equal(message.Metadata.SubscriptionChannel, '"ch*"');
  assert.equal(message.Metadata.Channel, '"ch1"');
  for (const f of ['Text', 'Model', 'Stream', 'Binary', 'Batch', 'Number', 'PubSub'])
    await node.succeeds(f, 1);
});

scenario('14.2 Handler: as many requests at once as the trigger allows', async (w) => {
  const { cli } = await w.redis();
  // Nobody is answered before all have come.
  const behaviour = `
  globalThis.waiting = [...(globalThis.waiting ?? []), res];
  if (globalThis.waiting.length === 300) for (const one of globalThis.waiting) reply(one, 200, {});`;
  const functions = { F: list('q', { count: 300 }) };
  const node = await w.up({ functions, ...handler({ behaviour }) });
  await cli.rpush('q', ...Array.from({ length: 300 }, (_, i) => String(i)));
  await node.succeeds('F', 300);
});

scenario('N41 Handler: input bindings', async (w) => {
  const { cli } = await w.redis();
  const input = (name, command, more = {}) => ({
    type: 'redis',
    connection: 'redis',
    direction: 'in',
    command,
    name,
    ...more,
  });
  const bindings = [
    input('text', 'GET text'),
    input('json', 'GET json'),
    input('number', 'STRLEN text'),
    input('none', 'GET nothing'),
    input('bytes', 'GET bytes', { dataType: 'binary' }),
  ];
  await cli.mset('text', 'a "b"', 'json', '{"a":1}');
  await cli.set('bytes', Buffer.from([0, 255, 254]));
  const node = await w.up({ functions: { F: list('q', {}, { bindings }) }, ...handler(ECHO) });
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
  const { entry, ...rest } = requests(w)[0].request.Data;
  assert.equal(JSON.parse(entry), '{"Trigger":"q","Message":"x"}');
  assert.deepEqual(rest, {
    text: JSON.stringify('a "b"'),
    json: JSON.stringify('{"a":1}'),
    number: '"5"',
    none: 'null',
    bytes: 'AP/+',
  });
});

scenario('N41 Handler: RetryContext', async (w) => {
  const { cli } = await w.redis();
  const behaviour =
    'record(JSON.stringify({ name, request })); reply(res, isFirst(name) ? 500 : 200, {});';
  const retry = { strategy: 'fixedDelay', maxRetryCount: 4, delayInterval: '00:00:00.010' };
  const node = await w.up({
    functions: { F: list('q', {}, { retry }) },
    ...handler({ behaviour }),
  });
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
  const [first, second] = requests(w).map((one) => one.request.Metadata.RetryContext);
  assert.deepEqual(first, { RetryCount: 0, MaxRetryCount: 4, Exception: null });
  assert.equal(second.RetryCount, 1);
  assert.equal(second.MaxRetryCount, 4);
  assert.ok(second.Exception, 'the failure of the first attempt');
});

const QUICK = { claimIdleMs: 300 };
for (const [how, behaviour] of [
  ['204', 'res.writeHead(204); res.end();'],
  ['empty 200', "reply(res, 200, '');"],
  ['null', "reply(res, 200, 'null');"],
]) {
  scenario(`N42 Handler: answers ${how}: succeeded`, async (w) => {
    const { cli } = await w.redis();
    const node = await w.up({ functions: { F: stream('s', QUICK) }, ...handler({ behaviour }) });
    await cli.xadd('s', '*', 'a', 'b');
    await node.succeeds('F', 1);
    await until(async () => (await pending(cli, 's')) === 0, 'acknowledged');
  });
}

for (const [how, bad] of [
  ['500', 'reply(res, 500, {})'],
  ['302', 'reply(res, 302, {})'],
  ['not JSON', "reply(res, 200, '{oops', 'application/json')"],
  ['other content type', "reply(res, 200, 'hello', 'text/plain')"],
  ['closed connection', 'req.socket.destroy()'],
]) {
  scenario(`N42 Handler: ${how}: failed and delivered again`, async (w) => {
    const { cli } = await w.redis();
    // A kept connection that closes is tried once more on a new one: hence two times for that row.
    const often = how === 'closed connection' ? "isFirst('1') || isFirst('2')" : 'isFirst(name)';
    const behaviour = `if (${often}) return ${bad}; reply(res, 200, {});`;
    const node = await w.up({ functions: { F: stream('s', QUICK) }, ...handler({ behaviour }) });
    await cli.xadd('s', '*', 'a', 'b');
    await node.succeeds('F', 1);
    assert.equal(node.failedCount('F'), 1);
    if (/JSON|type/.test(how)) assert.ok(node.has(/Invalid HttpResponseMessage/));
  });
}

const output = (name, command) => ({
  type: 'redis',
  connection: 'redis',
  command,
  name,
  direction: 'out',
});

scenario('N43 Handler: outputs', async (w) => {
  const { cli } = await w.redis();
  const behaviour = `
  if (name === 'Fails') return reply(res, 500, { Outputs: { out: 'never 1' }, ReturnValue: 'never 2' });
  if (name === 'Numbers') return reply(res, 200, '{"Outputs":{"out":0.1},"ReturnValue":[{"price":0.1},5.0,12345678901]}');
  if (name === 'Lower') return reply(res, 200, { outputs: { out: 'lowered 1' }, logs: ['low log'], returnvalue: 'lowerReturned 1' });
  reply(res, 200, { Outputs: { out: ['k1 aGVsbG8=', 'k2 2'] }, Logs: ['one log', 'two logs'], ReturnValue: 'returned 1' });`;
  const bindings = [output('out', 'SET'), output('$return', 'SET')];
  const node = await w.up({
    functions: {
      F: list('q', {}, { bindings }),
      Lower: list('lower', {}, { bindings }),
      Numbers: list(
        'numbers',
        {},
        { bindings: [output('out', 'RPUSH list'), output('$return', 'RPUSH list')] },
      ),
      Fails: list('fails', { maxDeliveryCount: 1 }, { bindings }),
    },
    ...handler({ behaviour }),
  });
  await cli.rpush('q', 'x');
  await cli.rpush('lower', 'x');
  await cli.rpush('fails', 'x');
  await cli.rpush('numbers', 'x');
  await node.succeeds('F', 1);
  await node.succeeds('Lower', 1);
  await node.succeeds('Numbers', 1);
  assert.deepEqual(await cli.lrange('list', 0, -1), ['0.1', '{"price":0.1}', '5.0', '12345678901']);
  await node.fails('Fails', 1);
  assert.equal(await cli.get('k1'), 'aGVsbG8=', 'text that looks like base64 stays text');
  assert.deepEqual(await cli.mget('k2', 'returned', 'lowered', 'lowerReturned'), [
    '2',
    '1',
    '1',
    '1',
  ]);
  for (const line of ['one log', 'two logs', 'low log'])
    assert.ok(node.has(new RegExp(`^${line}$`)), line);
  assert.equal(await cli.get('never'), null);
});

scenario('N44 Handler: listens after 2 s', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({
    functions: { F: list('q') },
    ...handler({ start: 'setTimeout(listen, 2000);' }),
  });
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
});

scenario('N44 Handler: never listens', async (w) => {
  const { cli } = await w.redis();
  const app = {
    functions: { F: list('q') },
    ...handler({ start: 'setInterval(() => {}, 1000);', initializationTimeout: '00:00:01' }),
  };
  const node = w.node({ app: w.app(app) }).spawn();
  await until(
    () =>
      node.records.some(
        (record) =>
          record.level === 'error' &&
          /did not answer HTTP .* within 1000 ms \(customHandler\.initializationTimeout\)/.test(
            record.message,
          ),
      ),
    'an error after initializationTimeout',
  );
  await cli.rpush('q', 'x');
  await stays(
    () => !node.hasExited() && node.startedCount('F') === 0,
    'the host stays up, nothing runs',
    500,
  );
});

for (const code of [0, 1, 200]) {
  scenario(`N44 Handler: exits with ${code}`, async (w) => {
    const { cli } = await w.redis();
    const behaviour = `
  if (isFirst(name)) process.exit(${code});
  reply(res, 200, { Logs: ['triggerValue:' + text(request.Data.entry)] });`;
    const node = await w.up({ functions: { F: list('q', QUICK) }, ...handler({ behaviour }) });
    await cli.rpush('q', 'a');
    await until(() => node.failedCount('F') === 1, 'the run in flight fails');
    await cli.rpush('q', 'b');
    await node.succeeds('F', 2, 20000);
    await node.stop();
  });
}

scenario('N44 Handler: three errors pause the triggers, the host stays up', async (w) => {
  const { cli } = await w.redis();
  // It lives as long as the file `sound` is there.
  const start = `
if (!fs.existsSync(path('sound'))) process.exit(1);
listen();
fs.watch(path('.'), () => fs.existsSync(path('sound')) || process.exit(1));`;
  w.touch('sound');
  const node = await w.up({ functions: { F: list('q', QUICK) }, ...handler({ start }) });
  await cli.rpush('q', 'a');
  await node.succeeds('F', 1);
  fs.rmSync(w.path('sound'));
  const unhealthy = await node.line(/its triggers pause, it is tried again every minute/, 20000);
  assert.match(unhealthy, /exited with code 1/);
  await cli.rpush('q', 'b', 'c');
  await stays(() => node.startedCount('F') === 1 && !node.hasExited(), 'nothing runs', 1000);
  assert.equal((await (await node.get('/api/functions/F')).json()).state, 'paused');
  assert.equal((await processing(cli)).length + (await cli.llen('q')), 2, 'all are there');
  await node.stop();
  assert.deepEqual(await cli.lrange('q', 0, -1), ['b', 'c']);
});

scenario('N44 Handler: arguments, folder, environment', async (w) => {
  const { cli } = await w.redis();
  const behaviour =
    "record([process.argv.slice(2).join(' '), process.cwd(), process.env.MINE].join('|')); reply(res, 200, {});";
  const app = {
    functions: { F: list('q') },
    settings: { MINE: 'my setting' },
    ...handler({
      behaviour,
      description: { arguments: ['--x', '%MINE%', 'a%UNKNOWN%b'], workingDirectory: 'F' },
    }),
  };
  const node = await w.up(app);
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
  const [args, folder, mine] = w.ledger()[0].split('|');
  assert.equal(args, '--x my setting ab');
  assert.match(folder, /\/F$/);
  assert.equal(mine, 'my setting');
});
