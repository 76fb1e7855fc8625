// A function whose calls go wrong in ways chosen by the event, with AWS SDK v3; see ../python/app.py.

import { Logger } from '@aws-lambda-powertools/logger';
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';
import { DecryptCommand, EncryptCommand, GenerateDataKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
import { GetObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { GetSecretValueCommand, SecretsManagerClient } from '@aws-sdk/client-secrets-manager';
import { SendMessageCommand, SQSClient } from '@aws-sdk/client-sqs';
import pino from 'pino';
import * as trouble from './trouble.mjs';

const bytes = (text) => new TextEncoder().encode(text);
const kms = (command) => new KMSClient({}).send(command);
const endpoint = process.env.AWS_ENDPOINT_URL;

const calls = {
  kms: (KeyId) => kms(new DecryptCommand({ KeyId, CiphertextBlob: bytes('AQICAHh0aXMgaXMgbm90') })),
  'kms-encrypt': (KeyId) => kms(new EncryptCommand({ KeyId, Plaintext: bytes('order') })),
  'kms-data-key': (KeyId) => kms(new GenerateDataKeyCommand({ KeyId, KeySpec: 'AES_256' })),
  'kms-ciphertext': (text) => kms(new DecryptCommand({ CiphertextBlob: bytes(text) })),
  s3: (Key) => new S3Client({ forcePathStyle: true }).send(new GetObjectCommand({ Bucket: 'orders', Key })),
  sqs: (name) =>
    new SQSClient({ useQueueUrlAsEndpoint: false }).send(
      new SendMessageCommand({ QueueUrl: `${endpoint}/123456789012/${name}`, MessageBody: 'order' }),
    ),
  dynamodb: (TableName) =>
    new DynamoDBClient({}).send(
      new PutItemCommand({ TableName, Item: { id: { S: '1' } }, ConditionExpression: 'attribute_not_exists(id)' }),
    ),
  secretsmanager: (SecretId) => new SecretsManagerClient({}).send(new GetSecretValueCommand({ SecretId })),
  lambda: (FunctionName) => new LambdaClient({}).send(new InvokeCommand({ FunctionName, Payload: '{}' })),
};

const logged = {
  'console-error': (error) => console.error(error),
  'console-text': (error) => console.error('could not load the order:', error),
  'console-message': (error) => console.error(`could not load the order: ${error.name}: ${error.message}`),
  'console-json': (error) => console.error(JSON.stringify(error)),
  'console-warn': (error) => console.warn('going on without the order', error),
  'console-log': (error) => console.log('not there, so made anew', error),
  pino: (error) => pino().error(error, 'could not load the order'),
  powertools: (error) => new Logger({ serviceName: 'orders' }).error('could not load the order', error),
};

const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());

export const handler = async (event) => {
  const how = event.how ?? 'uncaught';
  const call = calls[event.call] ?? trouble[camel(event.call)];
  try {
    const answer = await call(event.target);
    return typeof answer === 'string' ? answer : { done: event.call };
  } catch (error) {
    if (how === 'uncaught') throw error;
    logged[how](error);
    return { caught: error.name };
  }
};
