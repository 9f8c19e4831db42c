// Messages of which a few are more than one answer may hold.

import assert from 'node:assert/strict';
import { list, stream } from '../lib/app.js';
import { GATE } from '../lib/code.js';
import { deadLetters, pending, processing } from '../lib/keys.js';
import { NarrowProxy } from '../lib/narrow.js';
import { Proxy } from '../lib/proxy.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const SHORT = { pollingIntervalInMs: 100, payload: 'value', count: 10 };
const COUNT = 10;
const LARGE_BYTES = 60 * 1024; // on the narrow road; ten of them are too long for one answer
const REALLY_LARGE_BYTES = 60 * 1024 * 1024;

// The C function touches nothing of it: the time goes into moving bytes.
const NOTHING = {
  code: `
#include <redgrid/function.h>

int NAME(struct redgrid_invocation *run)
{
    (void)run;
    return REDGRID_OK;
}
`,
};

const large = (i, bytes) => Buffer.alloc(bytes, 65 + i);

async function narrow(w, F, fill, look) {
  const server = await w.redis();
  const proxy = await new NarrowProxy(server.port).start();
  try {
    for (let i = 0; i < COUNT; i++) await fill(server.cli, large(i, LARGE_BYTES));
    const app = { functions: { F }, lang: 'c', settings: { redis: proxy.address } };
    const node = await w.up(app);
    await look(server.cli, proxy, node);
    await node.stop();
  } finally {
    await proxy.stop();
  }
}

scenario('large list elements run, a few at a time', async (w) => {
  await narrow(
    w,
    list('q', { ...SHORT, count: COUNT + 1 }, GATE), // a free slot, so that one read waits
    (cli, element) => cli.rpush('q', element),
    async (cli, proxy, node) => {
      await until(async () => (await processing(cli)).length === COUNT, 'all are fetched');
      await until(async () => /cmd=blmove/.test(await cli.client('LIST')), 'it waits for more');
      proxy.reset(); // so that it looks for strays
      await until(() => proxy.shrunk.size === 2, 'all scripts are known to lib/narrow.js');
      w.touch('go');
      await node.succeeds('F', COUNT);
      await until(async () => (await processing(cli)).length === 0, 'all are removed');
      assert.equal(proxy.refused, 0);
    },
  );
});

// One look finds them all, though they are claimed one by one: a look for each, every third of
// claimIdleMs, would take longer than the test waits.
scenario('large stream entries run, a few at a time', async (w) => {
  await narrow(
    w,
    stream('s', { ...SHORT, claimIdleMs: 4000 }, NOTHING),
    (cli, value) => cli.xadd('s', '*', 'a', value),
    async (cli, proxy, node) => {
      await node.succeeds('F', COUNT);
      await until(async () => (await pending(cli, 's')) === 0, 'all are acknowledged');
      assert.equal((await deadLetters(cli, 'F')).length, 0);
      assert.ok(proxy.refused > 0, 'nothing was too long');
    },
  );
});

// What a slow road brings may take longer than claimIdleMs.
class SlowProxy extends Proxy {
  held = []; // what readers are still to hear

  accept(near) {
    let isReader = false;
    super.accept(near, {
      there: (chunk) => {
        isReader ||= chunk.includes('XREADGROUP\r\n$5\r\nGROUP');
        return chunk;
      },
      back: (chunk) => {
        if (!isReader || !this.held) return chunk;
        this.held.push(() => near.destroyed || near.write(chunk));
        return Buffer.alloc(0);
      },
    });
  }

  deliver() {
    for (const write of this.held) write();
    this.held = undefined;
  }
}

scenario('stream entries that are long on their way run once', async (w) => {
  const { cli, port } = await w.redis();
  const looks = async () => {
    const stats = await cli.info('commandstats');
    return +/cmdstat_xpending:calls=(\d+)/.exec(stats)?.[1];
  };
  const proxy = await new SlowProxy(port).start();
  try {
    await cli.xadd('s', '*', 'a', 'b');
    const functions = { F: stream('s', { ...SHORT, claimIdleMs: 300 }, NOTHING) };
    const node = await w.up({ functions, lang: 'c', settings: { redis: proxy.address } });
    const idle = async () => (await cli.xpending('s', 'F', 'IDLE', 300, '-', '+', 1)).length;
    await until(idle, 'what is on its way is idle');
    const before = await looks();
    await until(async () => (await looks()) > before + 3, 'looks for what is left');
    assert.equal(node.startedCount('F'), 0);
    proxy.deliver();
    await node.succeeds('F', 1);
    await until(async () => (await pending(cli, 's')) === 0, 'it is acknowledged');
    await node.stop();
  } finally {
    await proxy.stop();
  }
});

scenario('large entries of many streams run, one stream at a time', async (w) => {
  const keys = Array.from({ length: COUNT }, (_, i) => `s${i}`);
  const one = { ...SHORT, count: 1, claimIdleMs: 1000 };
  await narrow(
    w,
    stream(keys.join(' '), one, NOTHING),
    async (cli, value) => {
      for (const key of keys) await cli.xadd(key, '*', 'a', value);
    },
    async (cli, proxy, node) => {
      await node.succeeds('F', COUNT * COUNT);
      assert.equal(proxy.refused, 1);
      await cli.xadd('s3', '*', 'a', 'later');
      await node.succeeds('F', COUNT * COUNT + 1);
    },
  );
});

scenario('elements of 60 MiB run', async (w) => {
  const server = await w.redis();
  for (let i = 0; i < 2; i++) await server.cli.rpush('q', large(i, REALLY_LARGE_BYTES));
  const node = await w.up({ functions: { F: list('q', SHORT, NOTHING) }, lang: 'c' });
  await node.succeeds('F', 2, 60000);
  await until(async () => (await processing(server.cli)).length === 0, 'all are removed');
});
