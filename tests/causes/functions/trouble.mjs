// A function that waits for what its event says until its time is over, on a Runtime API loop of its own.
//
// `node trouble.mjs EVENT` is the same without Lambda. What there is to wait for, by the event's "trouble",
// stands in `troubles`.

import { spawn, spawnSync } from "node:child_process";
import dgram from "node:dgram";
import dns from "node:dns";
import { once } from "node:events";
import fs from "node:fs";
import http from "node:http";
import net from "node:net";
import { setTimeout as sleepFor } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { Worker, isMainThread, workerData } from "node:worker_threads";

const EVER_MS = 3_600_000;
const own = fileURLToPath(import.meta.url);

// What lives on until the process ends.
const kept = [];
let shipping;

const never = () => sleepFor(EVER_MS);

const opened = ({ address, port }) =>
  new Promise((resolve, reject) => {
    const connection = net.connect({ host: address, port });
    kept.push(connection);
    connection.once("connect", () => resolve(connection));
    connection.once("error", reject);
  });

const received = (connection) => new Promise((resolve) => connection.once("data", resolve));

async function answered(peer) {
  const connection = await opened(peer);
  // Answered after so many milliseconds, if ever.
  connection.write(`GET /${peer.after_ms ?? 0} HTTP/1.1\r\nHost: orders\r\n\r\n`);
  await received(connection);
}

const troubles = {
  healthy: (event) => event,
  connect: opened,
  async connects(event) {
    // One new connection after another.
    for (;;) {
      (await opened(event)).destroy();
    }
  },
  async refused(event) {
    for (let left = event.times ?? Infinity; left > 0; left -= 1) {
      await opened(event).catch(() => sleepFor(event.pause_ms));
    }
  },
  request: answered,
  async calls(event) {
    // One short call after another on one connection, with a pause between them.
    const connection = await opened(event);
    for (;;) {
      connection.write(`GET /${event.after_ms} HTTP/1.1\r\nHost: orders\r\n\r\n`);
      await received(connection);
      if (event.pause_ms) {
        await sleepFor(event.pause_ms);
      }
    }
  },
  greeting: async (event) => received(await opened(event)),
  async listen(event) {
    // What is sent to those who subscribed, as by a message broker.
    const connection = await opened(event);
    connection.write("GET /0 HTTP/1.1\r\nHost: orders\r\n\r\n");
    await received(connection);
    await received(connection);
  },
  async ship(event) {
    // To a collector of logs, which never answers, on one connection for all invocations.
    shipping ??= await opened(event);
    for (let left = event.times ?? 1; left > 0; left -= 1) {
      await new Promise((resolve) => shipping.write("<14>an order was taken\n", resolve));
      await sleepFor(20);
    }
  },
  async serve(event) {
    // As behind an adapter that calls it over loopback: it has answered in part, and more is to come.
    const server = net.createServer((connection) => {
      kept.push(connection);
      connection.once("data", () => connection.write("a part of the answer"));
    });
    kept.push(server.listen(event.port, event.address));
    await once(server, "connection");
    return troubles[event.then.trouble](event.then);
  },
  async push(event) {
    const connection = await opened(event);
    const bytes = Buffer.alloc(1 << 20);
    for (;;) {
      if (!connection.write(bytes)) {
        await new Promise((resolve) => connection.once("drain", resolve));
      }
    }
  },
  async resolve(event) {
    const lookup = event.style === "ares" ? dns.promises.resolve4 : dns.promises.lookup;
    for (;;) {
      await lookup(event.name).catch(() => undefined);
    }
  },
  async query(event) {
    const asked = dgram.createSocket("udp4");
    kept.push(asked);
    await new Promise((resolve) => asked.connect(53, event.address, resolve));
    asked.send("a query, as a resolver would send it");
    await never();
  },
  async spin(event) {
    if (event.threads > 1) {
      kept.push(new Worker(own, { workerData: { trouble: "spin" } }));
      // A worker begins only while the loop turns.
      await sleepFor(100);
    }
    for (let number = 0; ; ) {
      number = (number * 31 + 7) % 1_000_003;
    }
  },
  write(event) {
    if (event.style === "async") {
      return fs.promises.writeFile(event.path, Buffer.alloc(1 << 20));
    }
    const file = fs.openSync(event.path, "w");
    for (;;) {
      fs.writeSync(file, Buffer.alloc(1 << 16), 0, 1 << 16, 0);
      fs.fsyncSync(file);
    }
  },
  read: (event) =>
    event.style === "async" ? fs.promises.readFile(event.path) : fs.readFileSync(event.path),
  child(event) {
    const seconds = [`${(event.for_ms ?? EVER_MS) / 1000}`];
    if (event.style === "sync") {
      return spawnSync("sleep", seconds);
    }
    return new Promise((resolve) => spawn("sleep", seconds).once("exit", resolve));
  },
  sleep(event) {
    if (event.style === "lock") {
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    }
    if (event.style === "promise") {
      // Held open by a server that nobody calls, as by many a client library.
      kept.push(net.createServer().listen(0, "127.0.0.1"));
      return new Promise(() => undefined);
    }
    return sleepFor(event.for_ms ?? EVER_MS);
  },
  exit: () => process.exit(1),
  stop: () => process.kill(process.pid, "SIGSTOP"),
  busy(event) {
    for (const end = Date.now() + event.for_ms; Date.now() < end; );
  },
};

async function handle(event) {
  for (let count = event.beside?.count ?? 0; count > 0; count -= 1) {
    await answered(event.beside);
  }
  if (event.stream) {
    // What waits for news which never come, as clients of feature flags and queues do.
    await opened(event.stream);
  }
  if (event.background) {
    // What the handler does not wait for.
    handle(event.background).catch(() => undefined);
  }
  if (event.helper) {
    // A process that runs beside and that nobody waits for, as a browser or a proxy might.
    kept.push(spawn("sleep", [`${EVER_MS / 1000}`], { stdio: "ignore" }));
  }
  if (event.delay_ms) {
    await sleepFor(event.delay_ms);
  }
  const alone = { beside: undefined, stream: undefined, background: undefined, helper: undefined };
  const inner = JSON.stringify({ ...event, ...alone, on: "main", delay_ms: 0 });
  if (event.on === "child") {
    const child = spawn(process.execPath, [own, inner]);
    await new Promise((resolve) => child.once("exit", resolve));
  }
  if (event.on === "thread") {
    const worker = new Worker(own, { workerData: JSON.parse(inner) });
    await new Promise((resolve) => worker.once("exit", resolve));
  }
  return troubles[event.trouble](event);
}

async function serve(endpoint) {
  const [host, port] = endpoint.split(":");
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const call = (method, path, body) =>
    new Promise((resolve, reject) => {
      const request = http.request({ host, port, agent, method, path: `/2018-06-01/runtime${path}` });
      request.once("error", reject);
      request.once("response", async (response) => {
        const chunks = await response.toArray();
        resolve({ id: response.headers["lambda-runtime-aws-request-id"], body: Buffer.concat(chunks) });
      });
      request.end(body);
    });
  for (;;) {
    const { id, body } = await call("GET", "/invocation/next");
    const answer = await handle(JSON.parse(body));
    await call("POST", `/invocation/${id}/response`, JSON.stringify(answer ?? null));
  }
}

if (!isMainThread) {
  await handle(workerData);
} else if (process.argv[2]) {
  await handle(JSON.parse(process.argv[2]));
} else {
  if (process.env.TROUBLE_INIT) {
    await handle(JSON.parse(process.env.TROUBLE_INIT));
  }
  await serve(process.env.AWS_LAMBDA_RUNTIME_API);
}
