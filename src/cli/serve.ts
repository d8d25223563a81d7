import type { Command } from 'commander';
import { type ConfigSources, loadConfig, printableConfig, settingRows } from '../config.js';
import { type Io, printJson } from './io.js';
import { load, type SidecarModule } from './modules.js';

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
  const { startSidecar } = await load<SidecarModule>('../sidecar.js');
  const sidecar = await startSidecar(config);
  const { grpcAddress, httpAddress, dataDir } = sidecar;
  if (options.json === true) io.out(JSON.stringify({ grpcAddress, httpAddress, dataDir }));
  else
    io.out(
      `Drawdown listens: gRPC ${grpcAddress}, HTTP ${httpAddress}${dataDir === null ? '' : `, data in ${dataDir}`}`,
    );
  await stopSignal();
  await sidecar.stop();
}

/** Resolves with the first signal to stop; the second ends the process at once, as it does without us. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    const onSignal = (): void => {
      process.off('SIGINT', onSignal);
      process.off('SIGTERM', onSignal);
      resolve();
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}
