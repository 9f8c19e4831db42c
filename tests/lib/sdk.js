// Publishing with the SDK.

import {
  AzureKeyCredential,
  AzureSASCredential,
  EventGridPublisherClient,
  generateSharedAccessSignature,
} from '@azure/eventgrid';

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
