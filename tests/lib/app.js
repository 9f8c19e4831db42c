// Writes function apps.

import fs from 'node:fs';
import path from 'node:path';

// list('q', {count: 1}, {code: '..', retry: {..}, bindings: [..]}) and so on describe one function.
function describe(type, where) {
  return (source, binding = {}, more = {}) => ({
    type,
    [where]: source,
    binding,
    ...more,
    source,
    where,
  });
}
export const list = describe('redisListTrigger', 'key');
export const stream = describe('redisStreamTrigger', 'key');
export const pubsub = describe('redisPubSubTrigger', 'channel');
// event({cardinality: 'many'}, {code: '..'}): what a subscription of a topic starts.
export const event = (binding = {}, more = {}) => ({ type: 'eventGridTrigger', binding, ...more });

const CONNECTIONS = ['connection', 'connectionstring', 'connectionstringsetting'];

function triggerOf(f) {
  const trigger = { type: f.type, name: 'entry', direction: 'in', ...f.binding };
  if (f.source !== undefined) trigger[f.where] = f.source;
  const names = Object.keys(trigger).map((name) => name.toLowerCase());
  const isRedis = f.type.startsWith('redis');
  if (isRedis && !names.some((name) => CONNECTIONS.includes(name))) trigger.connectionStringSetting = 'redis';
  return trigger;
}

// What the tests' functions share. The ledger outlives every process that is killed.
const TESTLIB_PY = `
import os
import time

FOLDER = os.environ["TEST_FOLDER"]


def path(name):
    return os.path.join(FOLDER, name)


def record(text, name="ledger"):
    fd = os.open(path(name), os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.write(fd, (text + "\\n").encode())
    os.close(fd)


def is_first(name):
    try:
        os.close(os.open(path("first-" + name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return True
    except FileExistsError:
        return False


def wait_for(name):
    while not os.path.exists(path(name)):
        time.sleep(0.005)
`;

const CODE = {
  python: `
import logging

def main(entry):
    logging.info("triggerValue:%s", entry)
`,
  c: `
#include <redgrid/function.h>

int NAME(struct redgrid_invocation *run)
{
    struct redgrid_slice entry = redgrid_message(run);

    redgrid_log(run, REDGRID_INFO, "triggerValue:%.*s", REDGRID_ARG(entry));
    return REDGRID_OK;
}
`,
};

// A custom handler: NAME of the function, body of the request; BEHAVIOUR is the test's.
const HANDLER = `#!/usr/bin/env node
const fs = require('fs');
const http = require('http');
const path = (name) => process.env.TEST_FOLDER + '/' + name;
const record = (text, name = 'ledger') => fs.appendFileSync(path(name), text + '\\n');
const isFirst = (name) => {
  try {
    fs.closeSync(fs.openSync(path('first-' + name), 'wx'));
    return true;
  } catch {
    return false;
  }
};
const reply = (res, status, body, type = 'application/json') => {
  res.writeHead(status, { 'content-type': type });
  res.end(typeof body === 'string' ? body : JSON.stringify(body));
};
const text = (value) => (typeof value === 'string' ? JSON.parse(value) : value);

function run(name, request, req, res) {
  BEHAVIOUR
}

const server = http.createServer((req, res) => {
  const chunks = [];
  req.on('data', (chunk) => chunks.push(chunk));
  req.on('end', () => {
    if (req.method === 'GET') return reply(res, 404, {});
    run(req.url.slice(1), JSON.parse(Buffer.concat(chunks).toString()), req, res);
  });
});
const listen = () => server.listen(process.env.FUNCTIONS_CUSTOMHANDLER_PORT, '127.0.0.1');
START
`;
const LOG_ENTRY = "reply(res, 200, { Logs: ['triggerValue:' + text(request.Data.entry)] });";

// handler({behaviour, start}) gives the files and host.json of a custom handler.
export function handler({
  behaviour = LOG_ENTRY,
  start = 'listen();',
  description = {},
  ...more
} = {}) {
  return {
    lang: 'custom',
    files: { handler: HANDLER.replace('BEHAVIOUR', () => behaviour).replace('START', () => start) },
    host: {
      customHandler: { description: { defaultExecutablePath: 'handler', ...description }, ...more },
    },
  };
}

const SCRIPT = { python: '__init__.py', c: 'function.c' };

function writeJson(file, value) {
  fs.writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

// makeApp writes an app: {functions: {F: list('q')}, lang, host, settings, files} into `folder`.
export function makeApp(
  folder,
  { functions = {}, lang = 'python', host = {}, settings = {}, files = {} },
) {
  fs.mkdirSync(folder, { recursive: true });
  writeJson(path.join(folder, 'host.json'), { version: '2.0', ...host });
  writeJson(path.join(folder, 'local.settings.json'), {
    IsEncrypted: false,
    Values: { FUNCTIONS_WORKER_RUNTIME: lang, ...settings },
  });
  if (lang === 'python') fs.writeFileSync(path.join(folder, 'testlib.py'), TESTLIB_PY);
  for (const [name, f] of Object.entries(functions))
    writeFunction(path.join(folder, name), name, f, lang);
  for (const [name, text] of Object.entries(files)) {
    const file = path.join(folder, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    fs.chmodSync(file, 0o755);
  }
}

function writeFunction(folder, name, f, lang) {
  fs.mkdirSync(folder, { recursive: true });
  const declared = f.json ?? {
    bindings: [triggerOf(f), ...(f.bindings ?? [])],
    ...(SCRIPT[lang] ? { scriptFile: SCRIPT[lang] } : {}),
    ...(f.retry ? { retry: f.retry } : {}),
    ...(f.disabled === undefined ? {} : { disabled: f.disabled }),
  };
  const text = typeof declared === 'string' ? declared : JSON.stringify(declared, null, 2);
  fs.writeFileSync(path.join(folder, 'function.json'), text);
  if (SCRIPT[lang]) {
    fs.writeFileSync(
      path.join(folder, SCRIPT[lang]),
      (f.code ?? CODE[lang]).replaceAll('NAME', name),
    );
  }
}
