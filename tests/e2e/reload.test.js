// Apps and settings whose files change while they run.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { list, pubsub, stream } from '../lib/app.js';
import { GATE, record, show } from '../lib/code.js';
import { Node } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const MOODY = {
  code: `
def main(entry):
    if "bad" in entry:
        raise ValueError(entry)
`,
};
const ONCE = { maxDeliveryCount: 1 };

function edit(app, ...names) {
  fs.appendFileSync(path.join(app, ...names), '\n# edited\n');
}

// A node whose settings stand in a file: reload() writes other lines, and tells it to read them.
async function upWith(w, ...lines) {
  const config = w.path('redgrid.yaml');
  const write = (...content) => fs.writeFileSync(config, [...content, ''].join('\n'));
  const node = new Node('node', ['--config', config, '--data', w.path('data')], {
    REDGRID_LISTEN: '127.0.0.1:0',
  });
  write(...lines);
  w.nodes.push(node);
  await node.start();
  const reload = async (...content) => {
    const before = node.count(/reading the settings and the apps again/);
    write(...content);
    node.process.kill('SIGHUP');
    await until(() => node.count(/reading the settings/) > before, 'it reads again');
  };
  return { node, reload };
}

async function numbersOf(node, f) {
  const status = await (await node.get(`/api/functions/${f}`)).json();
  const metrics = {};
  for (const line of (await (await node.get('/metrics')).text()).split('\n')) {
    const [name, value] = line.split(/ (?=[^ ]*$)/);
    if (/_(total|count)\b/.test(name) && line.includes(`function="${f}"`)) metrics[name] = +value;
  }
  return { status, metrics };
}

scenario('What a function has counted goes on after a reload', async (w) => {
  const { cli } = await w.redis();
  const app = w.app({ F: list('q', ONCE, MOODY), S: stream('s', {}, MOODY), P: pubsub('p') });
  const node = await w.up(app);
  await cli.rpush('q', 'good', 'bad', 'good');
  await cli.xadd('s', '*', 'a', 'b');
  const of = async (f) => (await numbersOf(node, f)).status;
  await until(async () => (await of('F')).deadLettered === 1, 'a dead letter');
  await until(async () => (await of('F')).succeeded + (await of('S')).succeeded === 3, 'all ran');
  const before = { F: await numbersOf(node, 'F'), S: await numbersOf(node, 'S') };
  edit(app, 'P', '__init__.py');
  await node.line(/started again after \d+ ms: 3 functions listen$/);
  for (const f of ['F', 'S']) {
    const now = await numbersOf(node, f);
    assert.deepEqual(now.metrics, before[f].metrics);
    for (const name of ['succeeded', 'failed', 'retried', 'deadLettered', 'dropped', 'averageMs'])
      assert.equal(now.status[name], before[f].status[name], `${f}: ${name}`);
  }
  await cli.rpush('q', 'good', 'bad');
  await until(async () => (await of('F')).deadLettered === 2, 'another dead letter');
  await until(async () => (await of('F')).succeeded === 3, 'another success');
  const { metrics } = await numbersOf(node, 'F');
  const invocations = (result) =>
    metrics[`redgrid_invocations_total{app="app1",function="F",result="${result}"}`];
  assert.equal(invocations('succeeded'), 3);
  assert.equal(invocations('failed'), 2);
});

scenario('Gauges follow what a reload changed', async (w) => {
  const { cli } = await w.redis();
  const bad = { code: 'int NAME(void) {' };
  const functions = { F: list('q', {}, bad), G: list('g', { count: 1 }, GATE) };
  const app = w.app({ functions, lang: 'c' });
  const node = await w.up(app);
  const gauge = async (name, labels = 'app="app1"') => {
    const lines = (await (await node.get('/metrics')).text()).split('\n');
    return +lines.find((line) => line.startsWith(`redgrid_${name}{${labels}}`))?.split(' ')[1];
  };
  await until(async () => (await gauge('functions_in_error')) === 1, 'one is in error');
  await cli.rpush('g', 'x', 'y', 'z');
  await until(async () => (await gauge('backlog', 'app="app1",function="G"')) > 0, 'a backlog');
  assert.equal(await gauge('workers'), 1);
  fs.rmSync(path.join(app, 'F'), { recursive: true });
  fs.rmSync(path.join(app, 'G'), { recursive: true });
  w.touch('go');
  await node.line(/started again after \d+ ms: no function listens$/);
  assert.equal(await gauge('functions_in_error'), 0);
  assert.equal(await gauge('backlog', 'app="app1",function="G"'), 0);
  assert.equal(await gauge('workers'), 0);
});

scenario('A reload tells what changed, and what listens then', async (w) => {
  await w.redis();
  const app = w.app({ F: list('q'), G: list('g'), H: list('h') });
  fs.mkdirSync(path.join(app, 'shared'));
  fs.writeFileSync(path.join(app, 'shared', 'helper.py'), '');
  const node = await w.up(app);
  const told = async (change, changed, listens) => {
    const [changes, starts] = [/files changed, starting again/, /started again after/].map(
      (pattern) => () => node.find(pattern).map((record) => record.message),
    );
    const [seen, started] = [changes().length, starts().length];
    change();
    await until(() => starts().length > started, 'it started again');
    assert.equal(changes().length, seen + 1, changes().join());
    assert.match(changes().at(-1), changed);
    assert.match(starts().at(-1), listens);
  };
  await told(() => edit(app, 'F', '__init__.py'), /: F\/__init__\.py$/, /: 3 functions listen$/);
  await told(() => edit(app, 'shared', 'helper.py'), /: shared\/helper\.py$/, /: 3 functions/);
  await told(
    () => fs.writeFileSync(path.join(app, 'G', 'function.json'), '{'),
    /: G\/function\.json$/,
    /: 2 functions listen, 1 in error$/,
  );
  await told(
    () => fs.renameSync(path.join(app, 'G'), w.path('gone')), // all of it at once
    /: G\/ \(gone\), G\/.* \(gone\), G\/.* \(gone\)/,
    /: 2 functions listen$/,
  );
  await stays(() => node.count(/started again/) === 4, 'it was read no more often');
});

scenario('A folder that is not there yet, or no longer, is waited for', async (w) => {
  const { cli } = await w.redis();
  const made = w.app({ F: list('q', {}, show('"one"')) }, 'made');
  const app = w.path('apps', 'later', 'app');
  const node = await w.up(app);
  await node.line(/there is no folder '.*\/later\/app'/);
  await node.line(/later\/app: is read as soon as it is there/);
  fs.mkdirSync(path.dirname(app));
  fs.renameSync(made, app);
  await node.line(/started again after \d+ ms: 1 function listens$/);
  await cli.rpush('q', 'x');
  await until(() => node.values().includes('one'), 'it runs');

  fs.renameSync(app, made);
  await until(() => node.count(/there is no folder/) === 2, 'it is missed');
  const again = w.app({ F: list('q', {}, show('"two"')) }, 'again');
  fs.renameSync(again, app);
  await until(() => node.count(/: 1 function listens$/) === 2, 'it is found again');
  await cli.rpush('q', 'x');
  await until(() => node.values().includes('two'), 'the new one runs');

  const third = w.app({ F: list('q', {}, show('"three"')) }, 'third');
  fs.renameSync(app, w.path('apps', 'second'));
  fs.renameSync(third, app); // before anybody looks
  await until(() => node.count(/: 1 function listens$/) === 3, 'it is seen');
  edit(app, 'F', '__init__.py');
  await until(() => node.count(/: 1 function listens$/) === 4, 'the new folder is watched');
  await cli.rpush('q', 'x');
  await until(() => node.values().includes('three'), 'the third one runs');
});

scenario('SIGHUP reads redgrid.yaml again', async (w) => {
  const { cli } = await w.redis();
  const [one, two] = [w.app({ F: list('q') }, 'one'), w.app({ G: list('g') }, 'two')];
  const { node, reload } = await upWith(w, `app: [${one}]`);
  const names = async () => (await (await node.get('/api/functions')).json()).map((f) => f.name);
  const metrics = async () => (await node.get('/metrics')).text();
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
  assert.match(await metrics(), /function="F"/);

  const later = ['store.fsync: no', 'cache.port: 7777'];
  await reload(`app: [${two}]`, 'log.level: debug', 'workers.max: 7', ...later);
  await node.line(/^changed: app, log\.level = debug, workers\.max = 7$/);
  await node.line(/only after a restart: store\.fsync, cache\.port; stop redgrid/);
  await until(async () => (await names()).join() === 'G', 'the other app is there');
  await node.line(/^two: started after \d+ ms: 1 function listens$/);
  await until(() => node.records.some((record) => record.level === 'debug'), 'a debug line');
  assert.doesNotMatch(await metrics(), /function="F"/);
  await cli.rpush('g', 'x');
  await node.succeeds('G', 1);

  await reload('log.level: loud');
  await node.line(/redgrid\.yaml:1:12: log\.level: 'loud' is not one of.*all settings stay/);
  await until(() => node.has(/^two: started again/), 'it goes on with what it had');

  await reload(`app: [${one}, ${two}]`, 'listen.token: secret');
  await until(() => node.has(/^one: started after/), 'the first is back');
  assert.equal((await node.get('/api/functions')).status, 401);
  const { status } = await fetch(`http://127.0.0.1:${node.port()}/api/functions`, {
    headers: { authorization: 'Bearer secret' },
  });
  assert.equal(status, 200);
  assert.ok(!node.messages().some((message) => message.includes('secret')));
  await cli.rpush('q', 'x');
  await node.succeeds('F', 2);
});

scenario('SIGHUP starts no Redis, but says when one would be started', async (w) => {
  await w.redis();
  const [one, two] = [
    w.app({ F: list('q') }),
    w.app({ G: list('g', { connectionStringSetting: 'nobodyKnows' }) }),
  ];
  const { node, reload } = await upWith(w, `app: ${one}`);
  await reload(`app: [${one}, ${two}]`);
  await node.line(/names a connection that no setting explains: .* stop redgrid/);
  await until(() => node.has(/^app1: started again/), 'the other goes on');
});

scenario('An app that leaves finishes what runs, also when all of it stops', async (w) => {
  const { cli } = await w.redis();
  const app = w.app({ F: list('q', {}, record('testlib.wait_for("go")')) });
  const { node, reload } = await upWith(w, `app: ${app}`);
  await cli.rpush('q', 'x');
  await until(() => w.ledger().length === 1, 'it runs');
  await reload();
  await node.line(/is no longer named, stopping it/);
  node.process.kill('SIGTERM');
  await stays(() => !node.hasExited(), 'it waits', 300);
  w.touch('go');
  const { code } = await node.exited;
  assert.equal(code, 0);
  assert.equal(node.succeededCount('F'), 1);
});

const HELD = {
  code: `
import testlib

def main(entry):
    testlib.record("start")
    testlib.wait_for("go")
    return "done"
`,
};

// What somebody asked for by hand is waited for like what a trigger began.
for (const [how, ends] of [
  ['a reload', (node, app) => edit(app, 'F', '__init__.py')],
  ['a stop', (node) => node.process.kill('SIGTERM')],
]) {
  scenario(`A run by hand outlives ${how}`, async (w) => {
    await w.redis();
    const app = w.app({ F: list('q', {}, HELD) });
    const node = await w.up(app);
    const answer = fetch(`http://127.0.0.1:${node.port()}/api/functions/F/invoke`, {
      method: 'POST',
      body: 'x',
    });
    await until(() => w.ledger().length === 1, 'it runs');
    ends(node, app);
    await node.line(how === 'a stop' ? /^stopping/ : /files changed/);
    await stays(() => node.failedCount('F') === 0 && !node.has(/started again/), 'it runs', 300);
    w.touch('go');
    assert.equal((await (await answer).json()).result, 'done');
    if (how === 'a stop') assert.equal((await node.exited).code, 0);
    else await node.line(/started again after \d+ ms: 1 function listens/);
  });
}

scenario('A run by hand is cut short by the limit of a stop', async (w) => {
  await w.redis();
  const node = await w.up({ F: list('q', {}, HELD) }, { args: ['--drain-timeout', '300'] });
  const answer = fetch(`http://127.0.0.1:${node.port()}/api/functions/F/invoke`, {
    method: 'POST',
    body: 'x',
  });
  await until(() => w.ledger().length === 1, 'it runs');
  node.process.kill('SIGTERM');
  assert.equal((await answer).status, 503);
  assert.equal((await node.exited).code, 0);
});
