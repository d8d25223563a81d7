import { runCli } from './cli/program.js';

// What `npm start` and containers run: the sidecar, with the flags of `drawdown serve`.
process.exitCode = await runCli(['serve', ...process.argv.slice(2)], {
  out: (line) => process.stdout.write(`${line}\n`),
  error: (line) => process.stderr.write(`${line}\n`),
});
