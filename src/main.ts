import { runCli } from './cli/program.js';

// What `npm start` and containers run: the sidecar, with the flags of `drawdown serve`.
const exitCode = await runCli(['serve', ...process.argv.slice(2)], {
  out: (line) => process.stdout.write(`${line}\n`),
  error: (line) => process.stderr.write(`${line}\n`),
});
// Everything is stopped. Node 20 may spin for ever where it takes down by itself what is left of connections to a store that stood still.
process.exit(exitCode);
