// Certificates that sign themselves: whoever trusts one trusts it for its own name only.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';

// {key, cert, file} for a name such as DNS:localhost or IP:127.0.0.1.
export function makeCertificate(folder, name) {
  fs.mkdirSync(folder, { recursive: true });
  const [keyFile, file] = ['key.pem', 'cert.pem'].map((one) => path.join(folder, one));
  const args = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1'];
  args.push('-nodes', '-days', '2', '-subj', '/CN=redgrid test', '-addext', `subjectAltName=${name}`);
  execFileSync('openssl', [...args, '-keyout', keyFile, '-out', file], { stdio: 'pipe' });
  return { key: fs.readFileSync(keyFile), cert: fs.readFileSync(file), file };
}

// The environment of a program that trusts these.
export function trusting(folder, certificates) {
  const file = path.join(folder, 'trusted.pem');
  fs.writeFileSync(file, certificates.map(({ cert }) => cert).join(''));
  return { SSL_CERT_FILE: file };
}
