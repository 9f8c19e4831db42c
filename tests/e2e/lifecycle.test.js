import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { handler, list, pubsub, stream } from '../lib/app.js';
import { record, show } from '../lib/code.js';
import { numbers } from '../lib/keys.js';
import { PROGRAM, ROOT } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const run = promisify(execFile);

// One message through each trigger, in every language that can run here.
for (const lang of ['python', 'c', 'custom']) {
  scenario(`Matrix: ${lang}`, async (w) => {
    const { cli } = await w.redis();
    const functions = { List: list('q'), Stream: stream('s'), PubSub: pubsub('ch') };
    const node = await w.up({ functions, ...(lang === 'custom' ? handler() : { lang }) });
    await cli.rpush('q', 'a "quoted" \u20ac');
    await cli.xadd('s', '*', 'a', 'b');
    await cli.publish('ch', 'hi');
    for (const f of Object.keys(functions)) await node.succeeds(f, 1);
    assert.deepEqual(node.values().sort(), [
      '{"Trigger":"ch","Message":"hi"}',
      '{"Trigger":"q","Message":"a \\"quoted\\" \u20ac"}',
      '{"Trigger":"s","Message":"{\\"a\\":\\"b\\"}"}',
    ]);
    await node.stop();
  });
}

scenario('Samples: Python, function.json unchanged', async (w) => {
  const { cli, address } = await w.redis();
  const app = path.join(ROOT, 'samples', 'python');
  const node = await w.up(app, { env: { redisLocalhost: address } });
  await cli.rpush('listTest', 'hello');
  await cli.xadd('streamTest', '*', 'name', 'value');
  await cli.publish('channel', 'hello');
  await cli.set('myKey', '1');
  await cli.del('myKey');
  for (const f of ['ListTrigger', 'StreamTrigger', 'PubSubTrigger']) await node.succeeds(f, 1);
  await node.succeeds('KeyspaceTrigger', 2);
  await until(() => node.succeededCount('KeyeventTrigger') >= 1, 'the deletion was seen');
  for (const text of [
    '{"Trigger":"listTest","Message":"hello"}',
    '{"Trigger":"streamTest","Message":"{\\"name\\":\\"value\\"}"}',
    '{"Trigger":"channel","Message":"hello"}',
    '{"Trigger":"__keyspace@0__:myKey","Message":"set"}',
    '{"Trigger":"__keyevent@0__:del","Message":"myKey"}',
  ])
    assert.ok(node.messages().includes(text), text);
  await node.stop();
});

scenario('Samples: custom handler', async (w) => {
  const { cli, address } = await w.redis();
  const node = await w.up(path.join(ROOT, 'samples', 'custom'), {
    env: { redisLocalhost: address },
  });
  await cli.rpush('listTest', 'hello');
  await cli.xadd('streamTest', '*', 'name', 'value');
  await cli.publish('channel', 'hello');
  for (const f of ['ListTrigger', 'StreamTrigger', 'PubSubTrigger']) await node.succeeds(f, 1);
  assert.ok(node.messages().includes('{"Trigger":"listTest","Message":"hello"}'));
  await node.stop();
});

for (const signal of ['SIGTERM', 'SIGINT']) {
  scenario(`${signal} waits for what runs and ends with 0`, async (w) => {
    const { cli } = await w.redis();
    const node = await w.up({ F: list('q', {}, record('testlib.wait_for("go")')) });
    await cli.rpush('q', ...numbers(5));
    await until(() => w.ledger().length === 5, 'five run');
    await cli.rpush('q', ...numbers(20));
    await until(() => w.ledger().length >= 10, 'ten run');
    node.process.kill(signal);
    await stays(() => !node.hasExited(), 'it waits', 300);
    w.touch('go');
    const { code } = await node.exited;
    assert.equal(code, 0);
    const starts = w.ledger().filter((line) => line.startsWith('start')).length;
    assert.equal(w.ledger().length, 2 * starts, 'what began came to its end');
    assert.equal((await cli.llen('q')) + starts, 25, 'the rest is where it was');
  });
}

// A stop at the n-th line that it traces, so that every phase of a start is cut short once.
for (const [first, last] of [
  [1, 20],
  [21, 40],
  [41, 60],
]) {
  scenario(`SIGTERM at any moment of the start, lines ${first} to ${last}`, async (w) => {
    await w.redis();
    const app = w.app({ L: list('q'), S: stream('s'), P: pubsub('ch') });
    for (let line = first; line <= last; line += 2) {
      const node = w.node({ app, args: ['--log-level', 'trace'] }).spawn();
      await until(() => node.records.length >= line || node.hasExited(), `line ${line}`);
      await node.stop();
      w.assertSound();
    }
  });
}

scenario('The private store is killed: it is started again, nothing else notices', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: list('q'), P: pubsub('ch') });
  const store = () => node.children().find((child) => child.command.includes('redis.sock'));
  const before = store();
  process.kill(before.pid, 'SIGKILL');
  await until(() => (store()?.pid ?? before.pid) !== before.pid, 'another store');
  await until(async () => (await node.get('/readyz')).status === 200, 'ready again');
  await cli.rpush('q', 'x');
  await cli.publish('ch', 'x');
  for (const f of ['F', 'P']) await node.succeeds(f, 1);
});

scenario('A second signal ends it at once', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: list('q', {}, record('testlib.wait_for("go")')) });
  await cli.rpush('q', 'x');
  await until(() => w.ledger().length === 1, 'it runs');
  const children = node.children();
  assert.ok(children.length > 0);
  node.process.kill('SIGTERM');
  await stays(() => !node.hasExited(), 'it waits', 200);
  node.process.kill('SIGTERM');
  await until(() => node.hasExited(), 'it ended', 2000);
});

scenario('Files of an app change: it is loaded again', async (w) => {
  const { cli } = await w.redis();
  const app = w.app({ F: list('q', {}, show('"old"')) });
  const node = await w.up(app);
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
  const script = path.join(app, 'F', '__init__.py');
  fs.writeFileSync(script, fs.readFileSync(script, 'utf8').replace('"old"', '"new"'));
  await until(async () => {
    await cli.rpush('q', 'x');
    return node.values().includes('new');
  }, 'the new code runs');
  await node.stop();
});

scenario('SIGHUP reads the apps again', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: list('q') });
  node.process.kill('SIGHUP');
  await until(() => node.count(/^Generating 1 job function\(s\)/) === 2, 'read again');
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
  await node.stop();
});

scenario('Two apps, one of them broken', async (w) => {
  const { cli } = await w.redis();
  const bad = w.app({ functions: { B: list('b') }, host: { version: '1.0' } });
  const good = w.app({ G: list('g') });
  const node = await w.node({ app: bad, args: ['--app', good] }).start();
  assert.ok(
    node.records.some(
      (one) => one.level === 'error' && /host\.json.*version|version.*2\.0/.test(one.message),
    ),
  );
  await cli.rpush('g', 'x');
  await node.succeeds('G', 1);
});

scenario('No Redis is named: it starts one and says so', async (w) => {
  const app = w.app({ functions: { F: list('q', { connectionStringSetting: 'nobodyKnows' }) } });
  const node = await w.up(app, { args: ['--cache-port', '26379'] });
  const line = await node.line(/started a Redis on/);
  const port = JSON.parse(fs.readFileSync(w.path('node1', 'ports.json'), 'utf8')).cache;
  assert.ok(line.includes(String(port)), line);
  await run('redis-cli', ['-p', String(port), 'rpush', 'q', 'x']);
  await node.succeeds('F', 1);
  await node.stop();
});

scenario('HTTP and commands', async (w) => {
  const { cli } = await w.redis();
  const functions = {
    F: list('q', {}, { code: 'def main(entry):\n    return entry.upper()\n' }),
    Bad: list(''),
  };
  const node = await w.up(functions);
  assert.equal((await node.get('/healthz')).status, 200);
  await until(async () => (await node.get('/readyz')).status === 200, 'ready');
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
  const of = async (name) => (await node.get(`/api/functions/${name}`)).json();
  assert.equal((await of('F')).state, 'running');
  assert.equal((await of('F')).succeeded, 1);
  assert.equal((await of('Bad')).state, 'error');
  assert.match((await of('Bad')).error, /key/);
  const server = ['--server', `http://127.0.0.1:${node.port()}`];
  const listed = JSON.parse(
    (await run(PROGRAM, ['function', 'list', '--output', 'json', ...server])).stdout,
  );
  assert.deepEqual(listed.map((one) => one.name).sort(), ['Bad', 'F']);
  const invoked = await run(PROGRAM, ['function', 'invoke', 'F', '--data', 'hello', ...server]);
  assert.match(invoked.stdout, /HELLO/);
  fs.writeFileSync(w.path('large'), 'a'.repeat(15 << 20));
  const large = ['function', 'invoke', 'F', '--file', w.path('large'), ...server];
  await assert.rejects(run(PROGRAM, large), /it succeeded, but what it returned is larger/);
  await assert.rejects(run(PROGRAM, ['function', 'show', 'Nobody', ...server]), { code: 1 });
  await assert.rejects(run(PROGRAM, ['function', 'logs', 'Nobody', ...server]), { code: 1 });
  await assert.rejects(run(PROGRAM, ['function', 'fly', ...server]), { code: 2 });
});

scenario('Two servers cannot share a data folder', async (w) => {
  await w.redis();
  const app = w.app({ F: list('q') });
  await w.up(app, { data: w.path('data') });
  const second = w.node({ app, data: w.path('data') }).spawn();
  const { code } = await second.exited;
  assert.equal(code, 1);
  assert.ok(
    second.messages().some((message) => message.includes(w.path('data'))),
    'it names the folder',
  );
});
