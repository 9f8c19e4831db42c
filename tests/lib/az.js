// The Azure command line, where it is installed, with a configuration folder of its own.

import { execFile, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { ROOT } from './node.js';

// Why there is none; false: there is.
export const without = missing();

function missing() {
  try {
    execFileSync('sh', ['-c', 'command -v az']);
    return false;
  } catch {
    return 'needs az: apt-get install azure-cli';
  }
}

export class Az {
  // `env` says where it goes; `home` is a folder for all that it writes.
  constructor(home, env = {}) {
    const config = path.join(home, 'azure');
    fs.mkdirSync(config, { recursive: true });
    this.env = {
      PATH: process.env.PATH,
      HOME: home,
      LANG: 'C.UTF-8',
      AZURE_CONFIG_DIR: config,
      AZURE_CORE_COLLECT_TELEMETRY: '0',
      PYTHONPATH: path.join(ROOT, 'script', 'az-names'), // for Debian's; others do not mind
      ...env,
    };
  }

  // {code, stdout, stderr, json}; `watch` is told what it writes to stderr meanwhile.
  run(words, watch) {
    const options = { env: this.env, maxBuffer: 64 << 20 };
    return new Promise((resolve) => {
      const child = execFile('az', words, options, (error, stdout, stderr) => {
        const code = error ? (error.code ?? error.signal) : 0;
        let json;
        try {
          json = JSON.parse(stdout);
        } catch {
          // it printed none
        }
        resolve({ code, stdout, stderr, json });
      });
      if (watch) child.stderr.on('data', watch);
      child.stdin.end(); // it shall ask nobody
    });
  }

  // One that must succeed: the JSON that it prints. Words as in a shell, or as several texts.
  async must(...words) {
    const all = words.length === 1 ? words[0].split(' ') : words;
    const { code, stdout, stderr, json } = await this.run(all);
    if (code !== 0) throw new Error(`az ${all.join(' ')} ended with ${code}: ${stdout}${stderr}`);
    return json;
  }
}
