import assert from 'node:assert/strict';
import { list, pubsub, stream } from '../lib/app.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const CODE = `
import logging
import testlib

def main(entry, context):
    retry = context.retry_context
    logging.info("attempt %s %d/%d %s", "NAME", retry.retry_count, retry.max_retry_count, bool(retry.exception))
    if retry.retry_count < 2:
        raise ValueError("not yet")
`;
const FIXED = { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: '00:00:01' };

scenario('N38 Retry fixed', async (w) => {
  const { cli } = await w.redis();
  const more = { code: CODE, retry: FIXED };
  const node = await w.up({
    List: list('q', {}, more),
    Stream: stream('s', {}, more),
    PubSub: pubsub('ch', {}, more),
  });
  await cli.rpush('q', 'x');
  await cli.xadd('s', '*', 'a', 'b');
  await cli.publish('ch', 'x');
  for (const f of ['List', 'Stream', 'PubSub']) {
    await node.succeeds(f, 1);
    assert.equal(node.failedCount(f), 2);
    const attempts = node.find(new RegExp(`^attempt ${f} `));
    assert.deepEqual(
      attempts.map((one) => one.message),
      [`attempt ${f} 0/2 False`, `attempt ${f} 1/2 True`, `attempt ${f} 2/2 True`],
    );
    for (const i of [1, 2]) {
      const delay = attempts[i].at - attempts[i - 1].at;
      assert.ok(delay >= 950 && delay < 1600, `${f}: about 1 s: ${delay} ms`);
    }
  }
  const waits = node.find(
    /^Waiting for `00:00:01(\.0+)?` before retrying function execution\. Next attempt: '[12]'\. Max retry count: '2'\.$/,
  );
  assert.equal(waits.length, 6);
});

scenario('N38 Retry of the whole app, from host.json', async (w) => {
  const { cli } = await w.redis();
  const retry = { strategy: 'fixedDelay', maxRetryCount: 2, delayInterval: '00:00:00.050' };
  const node = await w.up({ functions: { F: list('q', {}, { code: CODE }) }, host: { retry } });
  await cli.rpush('q', 'x');
  await node.succeeds('F', 1);
  assert.equal(node.failedCount('F'), 2);
});

scenario('N39 Retry exponential', async (w) => {
  const { cli } = await w.redis();
  const retry = {
    strategy: 'exponentialBackoff',
    maxRetryCount: 4,
    minimumInterval: '00:00:00.500',
    maximumInterval: '00:00:01.500',
  };
  const code = 'def main(entry):\n    raise ValueError("always")\n';
  const node = await w.up({ F: stream('s', {}, { code, retry }) });
  await cli.xadd('s', '*', 'a', 'b');
  await node.fails('F', 5);
  const at = node.find(/^Executing 'Functions\.F'/).map((record) => record.at);
  const delays = at.slice(1).map((time, i) => time - at[i]);
  // 0.5; 0.5 + 0.4..0.6; 0.5 + 0.8..1.2; 1.5; and what a loaded machine adds
  const bounds = [
    [490, 900],
    [890, 1500],
    [1290, 1900],
    [1490, 1900],
  ];
  bounds.forEach(([least, most], i) => {
    assert.ok(delays[i] >= least && delays[i] < most, `delay ${i}: ${delays[i]} ms`);
  });
});

scenario('N40 functionTimeout', async (w) => {
  const { cli } = await w.redis();
  const code = `
import logging
import os
import threading
import testlib

def main(entry):
    logging.info("worker %d", os.getpid())
    if testlib.is_first("hang"):
        threading.Event().wait()
`;
  const functions = { F: stream('s', { claimIdleMs: 300 }, { code }) };
  const node = await w.up({ functions, host: { functionTimeout: '00:00:01' } });
  await cli.xadd('s', '*', 'a', 'b');
  await node.fails('F', 1);
  await node.line(
    /^Timeout value of 00:00:01 exceeded by function 'Functions\.F' \(Id: '[0-9a-f-]{36}'\)\.$/,
  );
  const started = node.find(/^Executing 'Functions\.F'/)[0].at;
  const failed = node.find(/^Executed 'Functions\.F' \(Failed/)[0].at;
  assert.ok(failed - started >= 950, `not before 1 s: ${failed - started} ms`);
  await until(() => node.succeededCount('F') === 1, 'the next run succeeds', 30000);
  const workers = node.find(/^worker \d+$/).map((record) => record.message);
  assert.equal(new Set(workers).size, 2, 'in another worker');
});

scenario('N40 functionTimeout, async function: cancelled, worker kept', async (w) => {
  const { cli } = await w.redis();
  const code = `
import asyncio
import logging
import os
import testlib

async def main(entry):
    logging.info("worker %d", os.getpid())
    if testlib.is_first("hang"):
        await asyncio.Event().wait()
`;
  const functions = { F: stream('s', { claimIdleMs: 300 }, { code }) };
  const node = await w.up({ functions, host: { functionTimeout: '00:00:01' } });
  await cli.xadd('s', '*', 'a', 'b');
  await node.succeeds('F', 1, 30000);
  assert.equal(new Set(node.find(/^worker \d+$/).map((record) => record.message)).size, 1);
});
