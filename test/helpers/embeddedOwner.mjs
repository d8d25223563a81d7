// A process that owns a data directory until it is killed. It prints the pids of its stores as one line of JSON.
import { startEmbedded } from '../../dist/embedded/index.js';

const quiet = { info() {}, warn() {}, error() {} };
const embedded = await startEmbedded({ dataDir: process.argv[2], logger: quiet });
process.stdout.write(
  `${JSON.stringify({ redisPid: embedded.redisPid, postgresPid: embedded.postgresPid })}\n`,
);
setInterval(() => undefined, 60_000);
