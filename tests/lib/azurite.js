// Azurite, Microsoft's emulator of Azure Storage, with one container; blobs are read by their SDK.

import fs from 'node:fs';
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import {
  BlobServiceClient,
  ContainerSASPermissions,
  StorageSharedKeyCredential,
  generateBlobSASQueryParameters,
} from '@azure/storage-blob';
import { freePort } from './process.js';
import { until } from './until.js';

const PROGRAM = fileURLToPath(new URL('../node_modules/azurite/dist/src/blob/main.js', import.meta.url));
const NAME = 'devstoreaccount1'; // public, and the same everywhere
const KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export class Azurite {
  constructor(folder) {
    this.folder = folder;
  }

  async start() {
    this.port ??= await freePort();
    fs.mkdirSync(this.folder, { recursive: true });
    this.process = spawn(
      process.execPath,
      [PROGRAM, '--blobPort', this.port, '--location', this.folder, '--silent', '--skipApiVersionCheck'],
      { stdio: 'ignore' },
    );
    this.exited = new Promise((resolve) => this.process.on('close', resolve));
    this.service = new BlobServiceClient(this.endpoint(), this.credential(), {
      retryOptions: { maxTries: 1 },
    });
    await until(() => this.answers(), `azurite on port ${this.port}`, 30000);
    return this;
  }

  async answers() {
    try {
      await this.service.getProperties();
      return true;
    } catch {
      return false;
    }
  }

  endpoint() {
    return `http://127.0.0.1:${this.port}/${NAME}`;
  }

  credential() {
    return new StorageSharedKeyCredential(NAME, KEY);
  }

  container(name = 'dead') {
    return this.service.getContainerClient(name);
  }

  // Connection strings as the portal shows them.
  keyString(key = KEY) {
    return `DefaultEndpointsProtocol=http;AccountName=${NAME};AccountKey=${key};BlobEndpoint=${this.endpoint()};`;
  }

  sasString(containerName = 'dead') {
    const permissions = ContainerSASPermissions.parse('rwdlc');
    const expiresOn = new Date(Date.now() + 3600000);
    const values = { containerName, permissions, expiresOn };
    const sas = generateBlobSASQueryParameters(values, this.credential()).toString();
    return `BlobEndpoint=${this.endpoint()};SharedAccessSignature=${sas}`;
  }

  static destination(container = 'dead') {
    const resourceId = `/subscriptions/s/resourceGroups/g/providers/Microsoft.Storage/storageAccounts/${NAME}`;
    const properties = { resourceId, blobContainerName: container };
    return { deadLetterDestination: { endpointType: 'StorageBlob', properties } };
  }

  // {name: parsed body} of all blobs.
  async blobs(name = 'dead') {
    const found = {};
    for await (const { name: blob } of this.container(name).listBlobsFlat()) {
      const body = await this.container(name).getBlobClient(blob).downloadToBuffer();
      found[blob] = JSON.parse(body.toString());
    }
    return found;
  }

  async holds(n, name = 'dead', ms = 20000) {
    let found;
    await until(
      async () => Object.keys((found = await this.blobs(name))).length === n,
      () => `${n} blobs, but ${Object.keys(found ?? {})}`,
      ms,
    );
    return found;
  }

  async stop() {
    this.process.kill('SIGKILL');
    await this.exited;
  }

  async destroy() {
    if (this.process.exitCode === null && this.process.signalCode === null) await this.stop();
  }
}
