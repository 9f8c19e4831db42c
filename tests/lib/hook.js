// A webhook that records what it is sent and answers as it is told.

import http from 'node:http';
import https from 'node:https';
import { until } from './until.js';

const VALIDATION = 'SubscriptionValidation';

export class Hook {
  // How it answers: `handshake` is 'echo', 'silent' (200 without the code), 'hang', or {status, headers, body};
  // `answers` are used up one by one: a status, {status, headers}, 'hang', 'reset'; then it is 200.
  // `judge`, instead, is given each delivery and returns such an answer, or a promise of one.
  // `tls` ({key, cert}) makes it https.
  constructor({ handshake = 'echo', answers = [], judge, host = '127.0.0.1', tls } = {}) {
    this.judge = judge ?? (() => this.answers.shift() ?? 200);
    this.host = host;
    this.scheme = tls ? 'https' : 'http';
    this.handshake = handshake;
    this.answers = [...answers];
    this.requests = [];
    this.hanging = [];
    const take = (request, response) => this.take(request, response);
    this.server = tls ? https.createServer(tls, take) : http.createServer(take);
  }

  async start() {
    await new Promise((resolve) => this.server.listen(0, this.host, resolve));
    this.port = this.server.address().port;
    return this;
  }

  url(where = '/hook') {
    const host = this.host.includes(':') ? `[${this.host}]` : this.host;
    return `${this.scheme}://${host}:${this.port}${where}`;
  }

  take(request, response) {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', async () => {
      const { method, url, headers } = request;
      const text = Buffer.concat(chunks).toString();
      const record = { method, url, headers, text, kind: headers['aeg-event-type'] };
      this.requests.push(record);
      if (method === 'OPTIONS') this.allow(response);
      else if (record.kind === VALIDATION) this.confirm(record, response);
      else this.reply(await this.judge(record), request, response);
    });
  }

  allow(response) {
    if (this.handshake === 'hang') return this.hanging.push(response);
    if (typeof this.handshake === 'object') return this.end(response, this.handshake);
    const headers = this.handshake === 'echo' ? { 'WebHook-Allowed-Origin': '*' } : {};
    return this.end(response, { headers });
  }

  confirm(record, response) {
    if (this.handshake === 'hang') return this.hanging.push(response);
    if (typeof this.handshake === 'object') return this.end(response, this.handshake);
    if (this.handshake === 'silent') return this.end(response, {});
    const { validationCode } = JSON.parse(record.text)[0].data;
    return this.end(response, { body: JSON.stringify({ validationResponse: validationCode }) });
  }

  reply(answer, request, response) {
    if (answer === 'hang') this.hanging.push(response);
    else if (answer === 'reset') request.socket.resetAndDestroy();
    else this.end(response, typeof answer === 'number' ? { status: answer } : answer);
  }

  end(response, { status = 200, headers = {}, body = '' }) {
    response.writeHead(status, headers);
    response.end(body);
  }

  handshakes() {
    return this.requests.filter(({ method, kind }) => method === 'OPTIONS' || kind === VALIDATION);
  }

  // What a person would open to confirm the newest handshake.
  validationUrl() {
    const { headers, text } = this.handshakes().at(-1);
    return headers['webhook-request-callback'] ?? JSON.parse(text)[0].data.validationUrl;
  }

  deliveries() {
    return this.requests.filter(({ kind }) => kind === 'Notification');
  }

  // All events that came, whatever they were packed in.
  events() {
    return this.deliveries().flatMap(({ text }) => JSON.parse(text));
  }

  ids() {
    return this.events().map((event) => event.id);
  }

  async gets(n, ms) {
    await until(
      () => this.events().length >= n,
      () => `${n} events at the hook, but ${this.events().length}`,
      ms,
    );
    return this.events();
  }

  async getsRequests(n, ms) {
    await until(
      () => this.deliveries().length >= n,
      () => `${n} deliveries to the hook, but ${this.deliveries().length}`,
      ms,
    );
    return this.deliveries();
  }

  // After destroy(): answers again, at the same address.
  async reopen() {
    await new Promise((resolve) => this.server.listen(this.port, this.host, resolve));
  }

  async destroy() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
