// What can go wrong in a Node process of itself: each function is one way. What is used up has a
// bound, should the limit that it is to meet be missing.

import { lookup } from 'node:dns/promises';
import { closeSync, openSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { open, readFile, writeFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';
import { ListQueuesCommand, SQSClient } from '@aws-sdk/client-sqs';

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export const healthy = () => 'ok';
export const abort = () => process.abort();
export const exitProcess = () => process.exit(1);
export const kill = async () => {
  process.kill(process.pid, 'SIGKILL');
  await pause(1000);
};
export const typeErrorOfHandler = (target) => target.order.id;

export const unhandledRejection = async () => {
  Promise.reject(new Error('the order was lost'));
  await pause(1000);
};

export const uncaughtException = async () => {
  setTimeout(() => {
    throw new RangeError('the order is out of range');
  }, 10);
  await pause(1000);
};

export const heap = () => {
  const kept = [];
  for (let n = 0; n < 200; n += 1) kept.push(new Array(100_000).fill({ order: kept.length }).map((order) => ({ ...order })));
};

export const tooLarge = () => 'x'.repeat(7 << 20);

export const fillTmp = () => {
  const file = openSync('/tmp/report.csv', 'w');
  try {
    for (let n = 0; n < 1024; n += 1) writeSync(file, Buffer.alloc(64 << 10, 1));
  } finally {
    closeSync(file);
  }
};

export const writeTmp = () => writeFile('/tmp/model.bin', Buffer.alloc(64 << 20, 1));

export const fillInodes = () => {
  for (let number = 0; number < 2000; number += 1) writeFileSync(`/tmp/part-${number}`, '');
};

export const openFiles = async () => {
  const kept = [];
  for (let n = 0; n < 2000; n += 1) kept.push(await open('/etc/hostname'));
};

export const startThreads = async () => {
  const workers = [];
  const failed = new Promise((_, reject) => {
    for (let number = 0; number < 50; number += 1) {
      try {
        const worker = new Worker('setTimeout(() => {}, 3000)', { eval: true });
        worker.on('error', reject);
        workers.push(worker);
      } catch (error) {
        reject(error);
        break;
      }
    }
  });
  try {
    await failed;
  } finally {
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
};

export const resolve = async (name) => JSON.stringify(await lookup(name));
export const fetchPage = async (name) => (await fetch(`https://${name}/`)).text();
export const connectSdk = () =>
  new SQSClient({ endpoint: 'https://sqs.eu-west-1.amazonaws.invalid' }).send(new ListQueuesCommand({}));

export const openPath = (path) => readFile(path, 'utf8');
export const readPathSync = (path) => readFileSync(path, 'utf8');
export const writePath = (path) => writeFile(path, 'order');
