import type { Command } from 'commander';
import { type ConfigSources, loadConfig, printableConfig, settingRows } from '../config.js';
import { type Io, printJson } from './io.js';
import { stopSignal } from './stop-signal.js';

/** Adds `--config` and a flag for every setting, so that commands with a whole configuration agree. */
export function addConfigOptions(command: Command): Command {
  command.option('--config <file>', 'YAML file with settings (default: DRAWDOWN_CONFIG)');
  for (const { flag, variable, description, default: value } of settingRows()) {
    const preset = value === undefined ? '' : `, default ${value}`;
    command.option(`--${flag} <value>`, `${description} (${variable}${preset})`);
  }
  return command;
}

/** What commander parsed, as sources of the configuration. */
export function configSources(options: Readonly<Record<string, unknown>>): ConfigSources {
  const flags: Record<string, string> = {};
  for (const { name } of settingRows()) {
    const value = options[name];
    if (typeof value === 'string') flags[name] = value;
  }
  return { flags, configFile: typeof options.config === 'string' ? options.config : undefined };
}

export function addServeCommand(program: Command, io: Io): void {
  const command = program.command('serve').description('run the sidecar until it is told to stop');
  addConfigOptions(command)
    .option('--print-config', 'print the configuration without secrets and exit')
    .option('--json', 'print the addresses as JSON')
    .addHelpText('after', '\nExample:\n  $ drawdown serve --grpc-address 127.0.0.1:50051')
    .action((options: Record<string, unknown>) => serve(options, io));
}

async function serve(options: Readonly<Record<string, unknown>>, io: Io): Promise<void> {
  const config = loadConfig(configSources(options));
  if (options.printConfig === true) return printJson(io, printableConfig(config));
  const { startSidecar } = await import('../sidecar.js');
  const stopped = stopSignal();
  let fatal: Error | undefined;
  const sidecar = await startSidecar(config, {
    onFatal: (error) => {
      fatal = error;
      stopped.resolve();
    },
  });
  const { grpcAddress, httpAddress, dataDir } = sidecar;
  if (options.json === true) io.out(JSON.stringify({ grpcAddress, httpAddress, dataDir }));
  else for (const line of banner(sidecar)) io.out(line);
  await stopped.promise;
  await sidecar.stop();
  if (fatal !== undefined) throw fatal;
}

function banner(sidecar: { grpcAddress: string; httpAddress: string; dataDir: string | null }): string[] {
  const lines = [
    'Drawdown is running.',
    `  gRPC  ${sidecar.grpcAddress}`,
    `  HTTP  ${sidecar.httpAddress}  (/metrics /healthz /readyz)`,
  ];
  if (sidecar.dataDir !== null) {
    lines.push(
      `  data  ${sidecar.dataDir}`,
      '',
      'Redis and Postgres are embedded: good for trying things out, not a production setup.',
    );
  }
  const address = sidecar.grpcAddress === '127.0.0.1:50051' ? '' : ` --address ${sidecar.grpcAddress}`;
  lines.push(
    '',
    'Next, in another terminal:',
    `  npx drawdown account create acme${address}`,
    `  npx drawdown account topup acme --credits 5${address}`,
    `  npx drawdown usage record --account acme --meter llm --model gpt-4o-mini --input-tokens 1000${address}`,
    '',
    'Ctrl-C drains and stops everything.',
  );
  return lines;
}
