// node_redis.mjs PORT STREAM SINK-PORT - node-redis and undici: XREADGROUP 512, one POST per entry over 64
// connections, XACK by 256, for ever; as loop_post.c, in the usual libraries.
import { createClient } from 'redis';
import { Pool } from 'undici';

const [port, stream, sink] = process.argv.slice(2);
const pool = new Pool(`http://127.0.0.1:${sink}`, { connections: 64, pipelining: 1 });
const reader = createClient({ url: `redis://127.0.0.1:${port}` });
const writer = createClient({ url: `redis://127.0.0.1:${port}` });
await Promise.all([reader.connect(), writer.connect()]);
await writer.xGroupCreate(stream, 'g', '0', { MKSTREAM: true });

let done = [];
function acknowledge() {
  const ids = done;
  done = [];
  return ids.length > 0 ? writer.xAck(stream, 'g', ids) : undefined;
}

async function post({ id, message }) {
  const answer = await pool.request({
    method: 'POST',
    path: '/Noop',
    headers: { 'content-type': 'text/plain' },
    body: message.p,
  });
  await answer.body.dump();
  if (answer.statusCode !== 200) throw new Error(`status ${answer.statusCode}`);
  done.push(id);
  if (done.length === 256) await acknowledge();
}

// Reads the next 512 while the last ones are under way.
const read = () => reader.xReadGroup('g', 'c', { key: stream, id: '>' }, { COUNT: 512, BLOCK: 10000 });
for (let reply = await read(); ; ) {
  const posts = reply ? reply[0].messages.map(post) : [];
  const next = read();
  await Promise.all(posts);
  await acknowledge();
  reply = await next;
}
