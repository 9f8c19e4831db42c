// Questions by HTTPS to a node with its own certificate authority.

import fs from 'node:fs';
import https from 'node:https';
import path from 'node:path';

export const authorityFile = (node) => path.join(node.data(), 'tls', 'ca.crt');
export const authority = (node) => fs.readFileSync(authorityFile(node), 'utf8');

// {status, headers, text, json}; `host` is who is connected to.
export function askHttps(node, method, where, { body, host = 'localhost', ca = authority(node), ...more } = {}) {
  return new Promise((resolve, reject) => {
    const options = { host, port: node.ports().https, path: where, method, ca, ...more };
    const request = https.request(options, (response) => {
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        const { statusCode: status, headers } = response;
        resolve({ status, headers, text, json: JSON.parse(text || 'null') });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
