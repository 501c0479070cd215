// Sums primes in worker threads, and serves the sum over HTTP to itself.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Worker } from "node:worker_threads";

interface Part {
  from: number;
  to: number;
}

const counting = `
  const { parentPort, workerData } = require("node:worker_threads");
  const prime = (n) => { for (let d = 2; d * d <= n; d++) if (n % d === 0) return false; return n > 1; };
  let sum = 0;
  for (let n = workerData.from; n < workerData.to; n++) if (prime(n)) sum += n;
  parentPort.postMessage(sum);
`;

function summed(part: Part): Promise<number> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(counting, { eval: true, workerData: part });
    worker.once("message", resolve);
    worker.once("error", reject);
  });
}

const parts: Part[] = [{ from: 0, to: 100_000 }, { from: 100_000, to: 200_000 }];
const total = (await Promise.all(parts.map(summed))).reduce((a, b) => a + b);

const server = createServer((_, answer) => answer.end(JSON.stringify({ total })));
await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
const { port } = server.address() as AddressInfo;
const told: { total: number } = await (await fetch(`http://127.0.0.1:${port}/`)).json();
server.close();
console.log(told.total);
