// Publishing and receiving with the SDKs.

import {
  AzureKeyCredential,
  AzureSASCredential,
  EventGridPublisherClient,
  generateSharedAccessSignature,
} from '@azure/eventgrid';
import { EventGridReceiverClient, EventGridSenderClient } from '@azure/eventgrid-namespaces';

// The SDK's publisher, which wants https unless it is told otherwise.
export function publisher(
  topic,
  schema,
  credential = new AzureKeyCredential(topic.key1),
  more = { retryOptions: { maxRetries: 0 } },
) {
  return new EventGridPublisherClient(topic.endpoint, schema, credential, {
    allowInsecureConnection: true,
    ...more,
  });
}

export async function sas(topic, key, expires = new Date(Date.now() + 3600000)) {
  const text = await generateSharedAccessSignature(
    topic.endpoint,
    new AzureKeyCredential(key),
    expires,
  );
  return { text, credential: new AzureSASCredential(text) };
}

// Pull clients of namespaces: they send to a topic, and receive from one of its subscriptions.
const INSECURE = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };

export function sender(events, topic, key = topic.key1) {
  return new EventGridSenderClient(events.base(), new AzureKeyCredential(key), topic.name, INSECURE);
}

export function receiver(events, topic, subscription, key = topic.key1) {
  const credential = new AzureKeyCredential(key);
  return new EventGridReceiverClient(events.base(), credential, topic.name, subscription, INSECURE);
}
