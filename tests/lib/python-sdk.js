// The SDKs for Python: Debian's, installed or unpacked by `script/bootstrap test`.

import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { ROOT } from './node.js';

export const PYTHON = '/usr/bin/python3'; // Debian's, whose packages these are
export const pythonEnv = {
  ...process.env,
  PYTHONPATH: path.join(ROOT, 'build', 'sdk', 'usr/lib/python3/dist-packages'),
};

// Why these modules cannot be had; false: they can.
export function pythonLacks(modules) {
  try {
    execFileSync(PYTHON, ['-c', `import ${modules}`], { env: pythonEnv, stdio: 'pipe' });
    return false;
  } catch {
    return `no ${modules} for Python here: script/bootstrap test brings it`;
  }
}
