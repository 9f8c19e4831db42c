// Where the commands that ask a server find it.

import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import fs from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { promisify } from 'node:util';
import { list } from '../lib/app.js';
import { PROGRAM } from '../lib/node.js';
import { scenario } from '../lib/scenario.js';
import { until } from '../lib/until.js';

const run = promisify(execFile);
const TOKEN = 'a token';

function certificate(folder) {
  fs.mkdirSync(folder);
  const cert = path.join(folder, 'cert.pem');
  const key = path.join(folder, 'key.pem');
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-keyout', key, '-out', cert, '-subj', '/CN=localhost', '-days', '2'],
      ...['-addext', 'subjectAltName=DNS:localhost'],
    ],
    { stdio: 'pipe' },
  );
  return { cert, key };
}

// What an operator puts in front of a server: it takes /below off a path and hands on the rest.
class Front {
  constructor(port) {
    this.port = port;
    this.servers = [];
  }

  hand = (request, response) => {
    if (!request.url.startsWith('/below/')) {
      response.writeHead(404).end();
      return;
    }
    const { method, headers } = request;
    const to = { host: '127.0.0.1', port: this.port, path: request.url.slice(6), method, headers };
    const onward = http.request({ ...to, headers: { ...headers, host: `127.0.0.1` } }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  };

  async listen(server, ...where) {
    this.servers.push(server);
    await new Promise((resolve) => server.listen(...where, resolve));
    return server.address();
  }

  close() {
    for (const server of this.servers) {
      server.close();
      server.closeAllConnections();
    }
  }
}

scenario('Every command takes every URL, --follow included', async (w) => {
  const { cli } = await w.redis();
  const node = await w.up({ F: list('q') }, { env: { REDGRID_LISTEN_TOKEN: TOKEN } });
  const front = new Front(node.port());
  const { cert, key } = certificate(w.path('tls'));
  const secure = https.createServer(
    { cert: fs.readFileSync(cert), key: fs.readFileSync(key) },
    front.hand,
  );
  const socket = w.path('front.sock');
  const { port } = await front.listen(http.createServer(front.hand), 0, '127.0.0.1');
  const { port: securePort } = await front.listen(secure, 0, '127.0.0.1');
  await front.listen(http.createServer(front.hand), socket);
  const env = { ...process.env, REDGRID_TOKEN: TOKEN, SSL_CERT_FILE: cert };
  const urls = [
    `http://127.0.0.1:${node.port()}`,
    `http://127.0.0.1:${port}/below/`,
    `https://localhost:${securePort}/below`,
    `unix://${socket}:/below`,
  ];
  try {
    for (const [i, url] of urls.entries()) {
      const { stdout } = await run(PROGRAM, ['status', '--server', url], { env });
      assert.match(stdout, /^F +app1 /m, url);
      const logs = spawn(PROGRAM, ['function', 'logs', 'F', '--follow', '--server', url], {
        env,
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let said = '';
      logs.stdout.on('data', (text) => (said += text));
      try {
        await cli.rpush('q', `for ${i}`);
        await until(
          () => said.includes(`"for ${i}"`),
          () => `${url}: ${said}`,
        );
      } finally {
        logs.kill();
      }
    }
    for (const words of [['status'], ['function', 'logs', '--follow']]) {
      const at = (url, more) =>
        run(PROGRAM, [...words, '--server', url], { env: { ...env, ...more } });
      await assert.rejects(at(urls[2], { SSL_CERT_FILE: '/dev/null' }), /certificate/);
      await assert.rejects(at(urls[1], { REDGRID_TOKEN: 'wrong' }), /set REDGRID_TOKEN/);
    }
  } finally {
    front.close();
  }
});
