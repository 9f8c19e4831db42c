// What stands in Redis: the user's keys and those that redgrid writes.

export const numbers = (n) => Array.from({ length: n }, (_, i) => String(i));

export const pending = async (cli, key, group = 'F') => (await cli.xpending(key, group))[0];

// The elements that wait in processing lists, of all consumers.
export async function processing(cli) {
  const keys = await cli.keys('redgrid:*:list:*');
  return (await Promise.all(keys.map((key) => cli.lrange(key, 0, -1)))).flat();
}

// The dead letters of a function, each as an object of Buffers turned to latin1: byte-exact.
export async function deadLetters(cli, f) {
  const [key] = await cli.keys(`redgrid:*:dead:${f}`);
  if (!key) return [];
  const entries = await cli.xrangeBuffer(key, '-', '+');
  return entries.map(([, fields]) => {
    const pairs = {};
    for (let i = 0; i < fields.length; i += 2) {
      pairs[fields[i].toString('latin1')] = fields[i + 1].toString('latin1');
    }
    return pairs;
  });
}

export async function addEntries(cli, key, n) {
  const pipeline = cli.pipeline();
  for (const i of numbers(n)) pipeline.xadd(key, '*', 'n', i);
  await pipeline.exec();
}
