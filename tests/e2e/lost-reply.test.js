// What stands at the server when its answer never came, or is to come yet.

import assert from 'node:assert/strict';
import { list, stream } from '../lib/app.js';
import { FAIL, record } from '../lib/code.js';
import { deadLetters, numbers, processing } from '../lib/keys.js';
import { Proxy } from '../lib/proxy.js';
import { scenario } from '../lib/scenario.js';
import { stays, until } from '../lib/until.js';

const SHORT = { pollingIntervalInMs: 100 };

scenario('startFrom $: what came while the server was away runs', async (w) => {
  const server = await w.redis();
  const node = await w.up({ F: stream('s', { ...SHORT, startFrom: '$' }) });
  await server.cli.xadd('s', '*', 'a', '1');
  await node.succeeds('F', 1);
  await server.stop('SIGKILL');
  await node.line(/connection lost/);
  await server.restart();
  await server.cli.xadd('s', '*', 'a', '2');
  await node.succeeds('F', 2, 20000);
});

scenario('a user who may not CLIENT: what failed is not lost by a stop', async (w) => {
  const server = await w.redis();
  await server.cli.acl('SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', '-client');
  const app = w.app({
    functions: { F: list('q', SHORT, FAIL) },
    settings: { redis: `${server.address},user=app,password=secret` },
  });
  const node = await w.up(app);
  await server.cli.rpush('q', 'x');
  await node.fails('F', 1);
  await until(async () => /cmd=blmove/.test(await server.cli.client('LIST')), 'it waits');
  await node.stop();
  const left = await server.cli.lrange('q', 0, -1);
  const names = await server.cli.keys('redgrid:*consumers*');
  const known = names.length > 0 ? await server.cli.zcard(names[0]) : 0;
  assert.ok(left.length === 1 || known === 1, 'in the processing list, and nobody knows of it');
  const again = await w.up(app, { data: w.path('node1') });
  await again.fails('F', 1);
});

scenario('a server without memory: nothing is dropped on the way to the dead letters', async (w) => {
  const server = await w.redis();
  const one = { ...SHORT, maxDeliveryCount: 1, claimIdleMs: 1000 };
  const gate = { code: `
import testlib

def main(entry):
    testlib.wait_for("full")
    raise ValueError("always")
` };
  const node = await w.up({ F: list('q', one, gate) });
  await server.cli.rpush('q', 'x');
  await until(() => node.startedCount('F') === 1, 'it runs');
  await server.cli.config('SET', 'maxmemory', '1');
  w.touch('full');
  await node.line(/OOM/);
  assert.deepEqual(await processing(server.cli), ['x']);
  await server.cli.config('SET', 'maxmemory', '0');
  await until(async () => (await deadLetters(server.cli, 'F')).length === 1, 'it is dead-lettered');
  assert.deepEqual(await processing(server.cli), []);
});

scenario('a key that became another type: a stop drops nothing', async (w) => {
  const server = await w.redis();
  const app = w.app({ F: list('q', SHORT, FAIL) });
  const node = await w.up(app);
  await server.cli.rpush('q', 'x');
  await node.fails('F', 1);
  await server.cli.set('q', 'text');
  await node.stop();
  assert.deepEqual(await processing(server.cli), ['x']);
  await server.cli.del('q');
  const again = await w.up(app, { data: w.path('node1') });
  await again.fails('F', 1);
});

scenario('a key that became another type: a stop gives back those of the next key', async (w) => {
  const server = await w.redis();
  const node = await w.up({ F: list('bad good', SHORT, FAIL) });
  await server.cli.rpush('bad', 'x');
  await node.fails('F', 1);
  await server.cli.rpush('good', 'y');
  await node.fails('F', 2);
  await server.cli.set('bad', 'text');
  await node.stop();
  assert.deepEqual(await server.cli.lrange('good', 0, -1), ['y']);
  assert.deepEqual(await processing(server.cli), ['x']);
});

const FAIL_C = { code: `
#include <redgrid/function.h>

int NAME(struct redgrid_invocation *run)
{
    return redgrid_fail(run, "always");
}
` };

scenario('a stop writes down how often each of many failed', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ functions: { F: list('q', { count: 1000 }, FAIL_C) }, lang: 'c' });
  await cli.rpush('q', ...numbers(5000));
  await until(() => node.failedCount('F') === 5000, () => `all fail: ${node.failedCount('F')}`);
  await node.stop();
  assert.deepEqual(await cli.lrange('q', 0, -1), numbers(5000));
  const tries = await cli.hgetall('redgrid:{q}:tries:F');
  assert.equal(Object.keys(tries).length, 5000);
  assert.deepEqual(new Set(Object.values(tries)), new Set(['1']));
});

// The tender is in the middle of a round when the listener wants to be registered, and then the
// server is gone.
scenario('a stop does not wait for a server that went away at a bad moment', async (w) => {
  const server = await w.redis();
  const proxy = await new Proxy(server.port).start();
  await server.cli.set('redgrid:{q}:consumers:F', 'text');
  const node = await w.up({
    functions: { F: list('q', { ...SHORT, claimIdleMs: 100 }) },
    settings: { redis: proxy.address },
  });
  await stays(() => !node.hasExited(), 'the listener tries more and more seldom', 2000);
  proxy.muteFrom = 'WITHSCORES';
  await server.cli.del('redgrid:{q}:consumers:F');
  await until(() => proxy.isMute, 'the tender looks for the dead');
  await stays(() => !node.hasExited(), 'meanwhile the listener tries again', 2500);
  proxy.isRefusing = true;
  proxy.reset();
  await node.line(/connection lost/);
  const before = Date.now();
  await node.stop();
  assert.ok(Date.now() - before < 5000, `${Date.now() - before} ms`);
  await proxy.stop();
});

const ONE_WAITS = { code: `
import testlib

def main(entry):
    if testlib.is_first("x"):
        testlib.wait_for("first")
        return
    testlib.record("waiting")
    testlib.wait_for("go")
    testlib.record("end")
` };

scenario('the answer to a removal is lost: an equal element that runs is not removed', async (w) => {
  const server = await w.redis();
  const proxy = await new Proxy(server.port).start();
  const app = w.app({
    functions: { F: list('q', { ...SHORT, count: 2 }, ONE_WAITS) },
    settings: { redis: proxy.address },
  });
  const node = await w.up(app);
  await server.cli.rpush('q', 'x', 'x');
  await until(() => w.ledger().length === 1 && node.startedCount('F') === 2, 'both run');
  proxy.cutReplyTo = "'LREM'";
  w.touch('first');
  await node.line(/connection lost/);
  await until(async () => (await processing(server.cli)).length === 1, 'one is removed');
  await node.line(/connection restored/);
  await stays(async () => (await processing(server.cli)).length === 1, 'the other stays', 1500);
  await node.kill();
  w.touch('go');
  await w.up(app, { data: w.path('node1') });
  await until(() => w.ledger().includes('end'), 'it runs again');
  await until(async () => (await processing(server.cli)).length === 0, 'and is acknowledged');
  await proxy.stop();
});

scenario('with the answer to a removal, that of an equal element is lost: it runs', async (w) => {
  const server = await w.redis();
  const proxy = await new Proxy(server.port).start();
  const node = await w.up({
    functions: { F: list('q', SHORT, record('testlib.is_first("x") and testlib.wait_for("go")')) },
    settings: { redis: proxy.address },
  });
  const ends = () => w.ledger().filter((line) => line === 'end x').length;
  await server.cli.rpush('q', 'x');
  await until(() => node.startedCount('F') === 1, 'it runs');
  await until(async () => /cmd=blmove/.test(await server.cli.client('LIST')), 'we wait for more');
  proxy.muteFrom = "'LREM'";
  w.touch('go');
  await until(async () => ends() === 1 && (await processing(server.cli)).length === 0, 'removed');
  await server.cli.rpush('q', 'x');
  await until(async () => (await processing(server.cli)).length === 1, 'the next has moved');
  proxy.reset();
  await until(() => ends() === 2, 'the next runs');
  await until(async () => (await processing(server.cli)).length === 0, 'and is acknowledged');
  await proxy.stop();
});

scenario('the answer to a burial is lost: what is dead-lettered does not run again', async (w) => {
  const server = await w.redis();
  const proxy = await new Proxy(server.port).start();
  const node = await w.up({
    functions: { F: list('q', { ...SHORT, maxDeliveryCount: 1, claimIdleMs: 300 }, FAIL) },
    settings: { redis: proxy.address },
  });
  proxy.cutReplyTo = "'XADD'";
  await server.cli.rpush('q', 'x');
  await node.line(/connection restored/);
  await stays(() => w.ledger().length === 1, 'one run', 2000);
  assert.equal((await deadLetters(server.cli, 'F')).length, 1);
  assert.deepEqual(await processing(server.cli), []);
  await proxy.stop();
});

for (const kind of ['list', 'stream'])
  scenario(`a ${kind} that is deleted meanwhile has no dead letter, and none is told`, async (w) => {
    const { cli } = await w.redis();
    const gate = { code: `
import testlib

def main(entry):
    testlib.wait_for("gone")
    raise ValueError("always")
` };
    const more = { ...SHORT, maxDeliveryCount: 1 };
    const node = await w.up({ F: kind === 'list' ? list('q', more, gate) : stream('q', more, gate) });
    if (kind === 'list') await cli.rpush('q', 'x');
    else await cli.xadd('q', '*', 'a', '1');
    await until(() => node.startedCount('F') === 1, 'it runs');
    if (kind === 'list') await cli.del(...(await cli.keys('redgrid:*:list:*')));
    else await cli.xtrim('q', 'MAXLEN', 0);
    w.touch('gone');
    await node.fails('F', 1);
    await stays(() => !node.has(/dead-lettered/), 'nothing is told', 1000);
    assert.deepEqual(await deadLetters(cli, 'F'), []);
  });

const TOTAL = 16000;
const REFUSED = [
  ['list', list('q', { count: 1000 }), 'lrem'],
  ['stream', stream('q', { count: 1000 }), 'xack'],
];
for (const [kind, f, command] of REFUSED)
  scenario(`a user who may not acknowledge a ${kind}: said once, and not taken for ever`, async (w) => {
    const server = await w.redis();
    await server.cli.acl('SETUSER', 'app', 'on', '>secret', '~*', '&*', '+@all', `-${command}`);
    const pipeline = server.cli.pipeline();
    for (let i = 0; i < TOTAL; i++)
      if (kind === 'list') pipeline.rpush('q', i);
      else pipeline.xadd('q', '*', 'n', i);
    await pipeline.exec();
    const node = await w.up({
      functions: { F: f },
      lang: 'c',
      settings: { redis: `${server.address},user=app,password=secret` },
    });
    await until(() => node.succeededCount('F') >= 10000, 'it takes up to its limit', 30000);
    await stays(() => node.succeededCount('F') < TOTAL, 'and no more', 2000);
    assert.equal(node.count(/cannot acknowledge/), 1);
    await server.cli.acl('SETUSER', 'app', '+@all');
    await node.succeeds('F', TOTAL, 30000);
  });
