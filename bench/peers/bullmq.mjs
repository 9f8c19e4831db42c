// bullmq.mjs PORT SINK-PORT COUNT BYTES - a BullMQ worker, 64 jobs at once, that posts with undici. The jobs are in
// the queue before the clock starts. Prints: seconds, CPU seconds of this process.
import { Queue, Worker } from 'bullmq';
import { Pool } from 'undici';

const [port, sink, count, bytes] = process.argv.slice(2).map(Number);
const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null };
const pool = new Pool(`http://127.0.0.1:${sink}`, { connections: 64, pipelining: 1 });
const queue = new Queue('bench', { connection });
const body = 'x'.repeat(bytes);

async function fill(wanted) {
  for (let left = wanted; left > 0; left -= 1000) {
    const jobs = Array.from({ length: Math.min(left, 1000) }, () => ({
      name: 'p',
      data: { p: body },
      opts: { removeOnComplete: true },
    }));
    await queue.addBulk(jobs);
  }
}

const worker = new Worker(
  'bench',
  async (job) => {
    const answer = await pool.request({
      method: 'POST',
      path: '/Noop',
      headers: { 'content-type': 'text/plain' },
      body: job.data.p,
    });
    await answer.body.dump();
  },
  { connection, concurrency: 64, autorun: false },
);

let left = 0;
let allDone;
worker.on('completed', () => --left === 0 && allDone());

async function run(wanted) {
  await worker.pause();
  await fill(wanted);
  left = wanted;
  const done = new Promise((resolve) => (allDone = resolve));
  const began = performance.now();
  const cpu = process.cpuUsage();
  worker.resume();
  await done;
  const used = process.cpuUsage(cpu);
  return [(performance.now() - began) / 1000, (used.user + used.system) / 1e6];
}

await worker.waitUntilReady();
worker.run();
await run(1000); // warm
const [seconds, cpu] = await run(count);
console.log(`${seconds.toFixed(4)} ${cpu.toFixed(2)} 0`);
await worker.close();
await queue.obliterate({ force: true });
await queue.close();
process.exit(0);
