// Processes that a test starts, and those that they start.

import fs from 'node:fs';
import net from 'node:net';

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

// [pid, parent, start time] of every process; the start time tells a reused pid.
function table() {
  const rows = [];
  for (const name of fs.readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = fs.readFileSync(`/proc/${name}/stat`, 'latin1');
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      if (fields[0] !== 'Z') rows.push({ pid: +name, parent: +fields[1], born: fields[19] });
    } catch {
      // it ended meanwhile
    }
  }
  return rows;
}

export function descendants(pid) {
  const rows = table();
  const found = [];
  let parents = new Set([pid]);
  while (parents.size) {
    const children = rows.filter((row) => parents.has(row.parent));
    found.push(...children);
    parents = new Set(children.map((row) => row.pid));
  }
  return found.map((row) => ({ ...row, command: commandOf(row.pid) }));
}

function commandOf(pid) {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
  } catch {
    return '';
  }
}

export function living(processes) {
  const now = new Map(table().map((row) => [row.pid, row.born]));
  return processes.filter((one) => now.get(one.pid) === one.born);
}

// The processes that know of a test's folder, by their arguments or environment.
export function processesOf(folder) {
  const knows = ({ pid }) => {
    try {
      return ['cmdline', 'environ'].some((file) =>
        fs.readFileSync(`/proc/${pid}/${file}`, 'latin1').includes(folder),
      );
    } catch {
      return false; // it ended meanwhile
    }
  };
  return table()
    .filter(knows)
    .map((row) => ({ ...row, command: commandOf(row.pid) }));
}
