// Topics and subscriptions of one node, over its API.

export class Events {
  constructor(node) {
    this.node = node;
  }

  base() {
    return `http://127.0.0.1:${this.node.port()}`;
  }

  async ask(method, where, body, headers = {}) {
    const answer = await fetch(this.base() + where, {
      method,
      headers,
      redirect: 'manual',
      body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await answer.text();
    let json;
    try {
      json = JSON.parse(text);
    } catch {
      json = undefined;
    }
    return { status: answer.status, headers: answer.headers, text, json };
  }

  // As ask(), for what must go well; the answer's JSON.
  async must(method, where, body) {
    const answer = await this.ask(method, where, body);
    if (answer.status >= 300) throw new Error(`${method} ${where}: ${answer.status} ${answer.text}`);
    return answer.json;
  }

  async topic(name, properties = {}) {
    const topic = await this.must('PUT', `/api/topics/${name}`, { properties });
    const keys = await this.keys(name);
    return { ...topic, ...keys, endpoint: topic.properties.endpoint };
  }

  keys(name) {
    return this.must('GET', `/api/topics/${name}/keys`);
  }

  // What a subscription says of itself; `more` beside its destination.
  static to(url, more = {}, destination = {}) {
    const properties = { endpointUrl: url, ...destination };
    return { destination: { endpointType: 'WebHook', properties }, ...more };
  }

  // What one in queue mode says of itself.
  static queue(queue = {}) {
    return { deliveryConfiguration: { deliveryMode: 'Queue', queue } };
  }

  // The same for a function, and for a stream, list or channel.
  static toFunction(app, name, more = {}, destination = {}) {
    const resourceId = `/subscriptions/s/providers/Microsoft.Web/sites/${app}/functions/${name}`;
    const properties = { resourceId, ...destination };
    return { destination: { endpointType: 'AzureFunction', properties }, ...more };
  }

  static toRedis(kind, connection, key, more = {}, destination = {}) {
    const properties = { connection, [kind.toLowerCase()]: key, ...destination };
    return { destination: { endpointType: `Redis${kind}`, properties }, ...more };
  }

  putSubscription(topic, name, properties) {
    return this.ask('PUT', `/api/subscriptions/${name}?topic=${topic}`, { properties });
  }

  async subscription(topic, name, properties) {
    const { status, text, json } = await this.putSubscription(topic, name, properties);
    if (status !== 200) throw new Error(`subscription ${name}: ${status} ${text}`);
    return json;
  }

  async metrics() {
    return new Metrics((await this.ask('GET', '/metrics')).text);
  }

  async state(topic, name) {
    const { properties } = await this.must('GET', `/api/subscriptions/${name}?topic=${topic}`);
    return properties.provisioningState;
  }

  // Publishes by hand, with key1 unless `headers` have a credential.
  async publish(topic, body, headers) {
    const given = headers ?? { 'aeg-sas-key': (await this.keys(topic)).key1 };
    const type = { 'content-type': 'application/json' };
    return this.ask('POST', `/topics/${topic}/api/events`, body, { ...type, ...given });
  }
}

// /metrics as it is now: of(name, labels) gives the value of the series with just these labels.
export class Metrics {
  constructor(text) {
    this.values = new Map();
    for (const line of text.split('\n')) {
      const [, name, labels = '', value] = line.match(/^(\w+)(?:\{(.*)\})? (\S+)$/) ?? [];
      if (name) this.values.set(Metrics.key(name, labels.match(/\w+="[^"]*"/g) ?? []), +value);
    }
  }

  static key(name, labels) {
    return [name, ...labels.sort()].join(' ');
  }

  of(name, labels = {}) {
    const texts = Object.entries(labels).map(([label, value]) => `${label}="${value}"`);
    return this.values.get(Metrics.key(`redgrid_${name}`, texts));
  }
}

let count = 0;
export function gridEvent(more = {}) {
  return {
    id: `e${++count}`,
    subject: 's',
    eventType: 'made',
    eventTime: '2026-01-01T00:00:00Z',
    data: {},
    dataVersion: '1.0',
    ...more,
  };
}
export function cloudEvent(more = {}) {
  return { specversion: '1.0', id: `e${++count}`, source: '/s', type: 'made', ...more };
}
