// The control plane of one node, in raw HTTP.

import assert from 'node:assert/strict';
import { Events } from './events.js';
import { until } from './until.js';

export const SUBSCRIPTION = '/subscriptions/s1';
export const GROUP = `${SUBSCRIPTION}/resourceGroups/rg`;
export const EG = '/providers/Microsoft.EventGrid';
const VERSION = 'api-version=2022-06-15';
const ENDS_MS = 60000; // on a machine that does much else

export class Arm extends Events {
  // As Events.ask(), with a version, if the path has none; the URL may be a whole one.
  send(method, where, body, headers) {
    const path = where.replace(/^https?:\/\/[^/]+/, '');
    return this.ask(method, path.includes('?') ? path : `${path}?${VERSION}`, body, headers);
  }

  // One that must be answered so; its JSON.
  async is(status, method, where, body) {
    const answer = await this.send(method, where, body);
    assert.equal(answer.status, status, `${method} ${where}: ${answer.text}`);
    return answer.json;
  }

  group(id = GROUP, location = 'West US') {
    return this.is(201, 'PUT', id, { location });
  }

  static topicId(name, group = GROUP) {
    return `${group}${EG}/topics/${name}`;
  }

  static subscriptionId(scope, name) {
    return `${scope}${EG}/eventSubscriptions/${name}`;
  }

  // Polls until the operation of an answer has ended; the last poll's JSON.
  async ends(answer) {
    const url = answer.headers.get('azure-asyncoperation') ?? answer.headers.get('location');
    let poll;
    await until(
      async () => {
        poll = await this.send('GET', url);
        const goes = poll.status === 202 || poll.json?.status === 'InProgress';
        assert.equal(poll.headers.get('retry-after'), goes ? '1' : null);
        return !goes;
      },
      () => `${url} ends, but ${poll?.text}`,
      ENDS_MS,
    );
    return poll.json;
  }

  // A change that must go well to its end.
  async done(status, method, where, body) {
    const answer = await this.send(method, where, body);
    assert.equal(answer.status, status, `${method} ${where}: ${answer.text}`);
    const end = await this.ends(answer);
    assert.equal(end.status, 'Succeeded', JSON.stringify(end));
    return answer;
  }

  async armTopic(name, { group = GROUP, location = 'West US', ...properties } = {}) {
    const id = Arm.topicId(name, group);
    await this.done(201, 'PUT', id, { location, properties });
    return id;
  }

  // PUT of an event subscription to a webhook; the answer, which is not waited for.
  put(scope, name, url, more = {}, destination = {}) {
    const properties = Events.to(url, more, destination);
    return this.send('PUT', Arm.subscriptionId(scope, name), { properties });
  }

  async made(...args) {
    const answer = await this.put(...args);
    assert.equal(answer.status, 201, answer.text);
    const end = await this.ends(answer);
    assert.equal(end.status, 'Succeeded', JSON.stringify(end));
    return answer;
  }
}
