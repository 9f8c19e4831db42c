// What can go wrong. Each fault happens, lasts, and is mended before the next one begins.
//
//   strike   does all of that; `trial` is the world, `random` decides the details
//   again    how many runs one fault may cause to be repeated, in units of what a function has in
//            flight: 0 for what harms no run
//   outages  how often each node may say that it lost the server

import { setTimeout as pause } from 'node:timers/promises';

export const signal = (pid, name) => {
  try {
    process.kill(pid, name);
  } catch {
    // it ended meanwhile
  }
};

async function stopped(pid, ms) {
  signal(pid, 'SIGSTOP');
  await pause(ms);
  signal(pid, 'SIGCONT');
}

export const workers = (node) =>
  node.children().filter((child) => /worker\.py|redgrid-worker-c/.test(child.command));

export const FAULTS = {
  'kill the daemon': {
    again: 1,
    async strike(trial, random) {
      const node = random.pick(trial.nodes);
      await node.kill();
      await pause(random.between(0, 300));
      await trial.restart(node);
    },
  },
  'kill a worker': {
    again: 1,
    async strike(trial, random) {
      const [worker] = random.shuffled(workers(random.pick(trial.nodes)));
      if (worker) signal(worker.pid, 'SIGKILL');
      await pause(random.between(0, 300));
    },
  },
  'kill the server': {
    outages: 1,
    async strike(trial, random) {
      await trial.server.stop('SIGKILL');
      await pause(random.between(0, 500));
      await trial.server.restart();
    },
  },
  'kill the store': {
    async strike(trial, random) {
      const isStore = ({ command }) => /^\S*(redis|valkey)-server /.test(command);
      for (const { pid } of random.pick(trial.nodes).children().filter(isStore))
        signal(pid, 'SIGKILL');
      await trial.store?.stop('SIGKILL');
      await pause(random.between(0, 300));
      await trial.store?.restart();
    },
  },
  'stop the daemon': {
    strike: (trial, random) =>
      stopped(random.pick(trial.nodes).process.pid, random.between(200, 1500)),
  },
  'stop a worker': {
    async strike(trial, random) {
      const [worker] = random.shuffled(workers(random.pick(trial.nodes)));
      if (worker) await stopped(worker.pid, random.between(200, 1500));
    },
  },
  'stop the server': {
    outages: 1,
    strike: (trial, random) => stopped(trial.server.process.pid, random.between(200, 2000)),
  },
  'kill the clients': {
    outages: 2,
    async strike(trial) {
      await trial.server.cli.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
      await trial.server.cli.client('KILL', 'TYPE', 'pubsub', 'SKIPME', 'yes');
    },
  },
  'reset the connections': {
    outages: 1,
    async strike(trial, random) {
      trial.proxy.isRefusing = random.next() < 0.5;
      trial.proxy.reset();
      await pause(random.between(0, 500));
      trial.proxy.isRefusing = false;
    },
  },
  'cut within a reply': {
    outages: 1,
    async strike(trial, random) {
      trial.proxy.cutAfterBytes = random.between(1, 2000);
      await pause(random.between(100, 300));
      trial.proxy.cutAfterBytes = Infinity;
    },
  },
  'half-close the connections': {
    outages: 1,
    async strike(trial, random) {
      trial.proxy.halfClose(random.pick(['near', 'far']));
      await pause(random.between(0, 200));
    },
  },
  'hold the bytes up': {
    outages: 1,
    async strike(trial, random) {
      trial.proxy.pause();
      await pause(random.between(100, 1500));
      trial.proxy.resume();
    },
  },
  'slow the bytes down': {
    async strike(trial, random) {
      trial.proxy.latencyMs = random.between(1, 100);
      await pause(random.between(200, 800));
      trial.proxy.latencyMs = 0;
    },
  },
};

// What stands in the stream at that moment is known to the server alone, hence MULTI.
async function inStream(cli, ...command) {
  const [[, entries]] = await cli.multi([['xrange', 'stream', '-', '+'], command]).exec();
  return entries.map(([, fields]) => fields[1]);
}

// Faults that destroy: what is in the stream runs again from the start, or is gone.
export const DAMAGE = {
  'delete the group': {
    again: 1,
    async strike(trial) {
      trial.audit.mayRepeat(await inStream(trial.server.cli, 'xgroup', 'DESTROY', 'stream', 'F'));
    },
  },
  'delete the stream': {
    again: 1,
    async strike(trial) {
      trial.audit.mayMiss(await inStream(trial.server.cli, 'del', 'stream'));
    },
  },
};
