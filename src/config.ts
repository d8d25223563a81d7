/** Flags, environment and file become one frozen, checked Config. Nothing else reads the environment. */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parse as parseYaml } from 'yaml';
import { type Config, isLocal, parseAddress, type Setting, type SettingName, settings } from './settings.js';

export type { Config, SettingName } from './settings.js';

/** A configuration that cannot be used; the message names key and source, and is meant for the person who wrote it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  constructor(readonly problems: readonly string[]) {
    super(`The configuration cannot be used:\n${problems.map((problem) => `  - ${problem}`).join('\n')}`);
  }
}

export interface SettingRow {
  /** Key in the file and in Config. */
  name: SettingName;
  /** Environment variable. */
  variable: string;
  /** Flag, without the dashes in front. */
  flag: string;
  kind: 'integer' | 'text' | 'choice';
  default: string | number | undefined;
  secret: boolean;
  description: string;
}

/** Not a setting: names the file that holds settings. */
const configFileVariable = 'DRAWDOWN_CONFIG';
const variablePrefix = 'DRAWDOWN_';
const hidden = '********';

const names = Object.keys(settings) as SettingName[];

/** The table as data, for the flags of commands and for the documentation. */
export function settingRows(): readonly SettingRow[] {
  return names.map((name) => {
    const {
      kind,
      secret,
      description,
      default: value,
    } = settings[name] as Setting<string | number | undefined>;
    return {
      name,
      variable: variableOf(name),
      flag: flagOf(name),
      kind,
      secret,
      description,
      default: value,
    };
  });
}

/** grpcAddress -> grpc-address */
function flagOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
}

/** grpcAddress -> DRAWDOWN_GRPC_ADDRESS */
function variableOf(name: string): string {
  return variablePrefix + flagOf(name).replaceAll('-', '_').toUpperCase();
}

export interface ConfigSources {
  /** By setting name, as text, as a command line gives it. */
  flags?: Readonly<Partial<Record<string, string>>>;
  /** From --config; wins over DRAWDOWN_CONFIG. */
  configFile?: string | undefined;
  environment?: Readonly<Partial<Record<string, string>>>;
}

interface Value {
  value: unknown;
  source: string;
}

/** The environment without our settings: for a sidecar that is started with its own, whatever this shell is set up for. */
export function environmentWithoutSettings(): Record<string, string | undefined> {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith(variablePrefix)));
}

/** Flag before environment before file before default. Throws a ConfigError that lists all that is wrong at once. */
export function loadConfig(sources: ConfigSources = {}): Config {
  const environment = sources.environment ?? process.env;
  const problems: string[] = [];
  const values = new Map<SettingName, Value>([
    ...fromFile(sources.configFile ?? environment[configFileVariable], problems),
    ...fromEnvironment(environment, problems),
    ...fromFlags(sources.flags ?? {}, problems),
  ]);
  const config: Partial<Record<SettingName, unknown>> = {};
  for (const name of names) {
    config[name] = checked(name, values.get(name), problems);
  }
  if (problems.length === 0) {
    problems.push(...contradictions(config as Config));
  }
  if (problems.length > 0) {
    throw new ConfigError(problems);
  }
  return Object.freeze(config as Config);
}

function fromFile(file: string | undefined, problems: string[]): [SettingName, Value][] {
  if (file === undefined || file === '') {
    return [];
  }
  let content: unknown;
  try {
    content = parseYaml(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    problems.push(`${file} cannot be read: ${(error as Error).message}`);
    return [];
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    problems.push(`${file}: expected a map of settings`);
    return [];
  }
  return known(Object.entries(content), { where: file, toName: (key) => key }, problems);
}

function fromEnvironment(
  environment: Readonly<Partial<Record<string, string>>>,
  problems: string[],
): [SettingName, Value][] {
  const byVariable = new Map(names.map((name) => [variableOf(name), name]));
  const entries = Object.entries(environment).filter(
    // An empty variable is how a shell or a compose file says "not set".
    ([key, value]) => key.startsWith(variablePrefix) && key !== configFileVariable && value !== '',
  );
  return known(entries, { where: 'environment', toName: (key) => byVariable.get(key) ?? key }, problems);
}

function fromFlags(
  flags: Readonly<Partial<Record<string, string>>>,
  problems: string[],
): [SettingName, Value][] {
  const entries = Object.entries(flags).filter(([, value]) => value !== undefined);
  return known(entries, { where: 'command line', toName: (key) => key }, problems);
}

function known(
  entries: readonly [string, unknown][],
  options: { where: string; toName: (key: string) => string },
  problems: string[],
): [SettingName, Value][] {
  const result: [SettingName, Value][] = [];
  for (const [key, value] of entries) {
    const name = options.toName(key);
    if (Object.hasOwn(settings, name)) {
      result.push([name as SettingName, { value, source: `${key} (${options.where})` }]);
    } else {
      problems.push(`${key} (${options.where}): there is no such setting`);
    }
  }
  return result;
}

/** Text from flags and variables becomes a number only where it is written as one: '12abc' and '1.5' are refused. */
function checked(name: SettingName, given: Value | undefined, problems: string[]): unknown {
  const setting = settings[name] as Setting<unknown>;
  if (given === undefined) {
    return setting.default;
  }
  const { value, source } = given;
  const isInteger = setting.kind === 'integer' && typeof value === 'string' && /^-?\d{1,15}$/.test(value);
  const result = setting.schema.safeParse(isInteger ? Number(value) : value);
  if (result.success) {
    return result.data;
  }
  const reasons = result.error.issues.map((issue) => issue.message).join('; ');
  const shown = setting.secret ? '' : `, not ${JSON.stringify(value)}`;
  problems.push(`${source}: ${reasons}${shown}`);
  return undefined;
}

interface Relation {
  holds: (config: Config) => boolean;
  says: string;
}

/** What must hold between settings, each with the reason that a reader of the message needs. */
const relations: readonly Relation[] = [
  {
    holds: (c) => c.authToken !== undefined || [c.grpcAddress, c.httpAddress].every(isLocalText),
    says: 'authToken is required when grpcAddress or httpAddress can be reached from other machines',
  },
  {
    holds: (c) => c.grpcAddress !== c.httpAddress || c.grpcAddress.endsWith(':0'),
    says: 'grpcAddress and httpAddress must differ: each has its own server',
  },
  {
    holds: (c) => c.holdTimeDefaultMs <= c.holdTimeMaxMs,
    says: 'holdTimeDefaultMs must not exceed holdTimeMaxMs',
  },
  {
    holds: (c) => c.batchOpsMax <= c.queueOpsMax,
    says: 'queueOpsMax must hold at least one batch of batchOpsMax',
  },
  {
    holds: (c) => c.batchEventsMax <= c.queueOpsMax,
    says: 'queueOpsMax must hold a batch of batchEventsMax, as all its events may be of one partition',
  },
  {
    holds: (c) => c.batchEventsMax <= c.streamEventsInFlightMax,
    says: 'streamEventsInFlightMax must hold at least one batch of batchEventsMax',
  },
  {
    holds: (c) => c.batchEventsMax * eventBytesTypical <= c.messageBytesMax,
    says: 'messageBytesMax must hold batchEventsMax events of 200 bytes',
  },
  {
    holds: (c) => c.idsWindowMs <= c.eventAgeMaxMs,
    says: 'idsWindowMs must not exceed eventAgeMaxMs: older events are refused, so their ids need no memory',
  },
  {
    holds: (c) => c.clockSkewMaxMs <= c.eventFutureMaxMs,
    says: 'eventFutureMaxMs must be at least clockSkewMaxMs, or events of a tolerated clock are refused',
  },
  {
    holds: (c) => c.clockSkewMaxMs < c.idsWindowMs,
    says: 'idsWindowMs must exceed clockSkewMaxMs, or an id is forgotten while its event is still new elsewhere',
  },
  {
    holds: (c) => c.sweepIntervalMs <= c.leaseMs,
    says: 'sweepIntervalMs must not exceed leaseMs, or a lease runs out between two sweeps',
  },
  {
    holds: (c) => c.redisConnectTimeoutMs <= c.redisCommandTimeoutMs,
    says: 'redisConnectTimeoutMs must not exceed redisCommandTimeoutMs',
  },
  {
    holds: (c) => c.flushRetryMaxMs <= c.durableWaitMaxMs,
    says: 'durableWaitMaxMs must be at least flushRetryMaxMs, or a call gives up before the flusher tries again',
  },
  {
    holds: (c) => 2 * (c.flushRetryMaxMs + c.flushRestMaxMs) <= c.journalAgeMaxMs,
    says: 'journalAgeMaxMs must be at least twice flushRetryMaxMs and flushRestMaxMs, or work is refused between two flushes',
  },
];

/** A usage event of one model call with five quantities, as it travels. */
const eventBytesTypical = 200;

function contradictions(config: Config): string[] {
  return relations.filter((relation) => !relation.holds(config)).map((relation) => relation.says);
}

function isLocalText(value: string): boolean {
  const address = parseAddress(value);
  return address !== undefined && isLocal(address);
}

export interface CommandLine {
  flags: Record<string, string>;
  configFile: string | undefined;
  printConfig: boolean;
  help: boolean;
}

/** Reads `--name value` and `--name=value` of every setting, `--config`, `--print-config` and `--help`. */
export function parseFlags(parameters: readonly string[]): CommandLine {
  const options = Object.fromEntries(names.map((name) => [flagOf(name), { type: 'string' as const }]));
  try {
    const { values } = parseArgs({
      args: [...parameters],
      options: {
        ...options,
        config: { type: 'string' },
        'print-config': { type: 'boolean' },
        help: { type: 'boolean', short: 'h' },
      },
    });
    const given = values as Record<string, string | boolean | undefined>;
    const flags = names.flatMap((name) => {
      const value = given[flagOf(name)];
      return typeof value === 'string' ? [[name, value]] : [];
    });
    return {
      flags: Object.fromEntries(flags) as Record<string, string>,
      configFile: values.config as string | undefined,
      printConfig: values['print-config'] === true,
      help: values.help === true,
    };
  } catch (error) {
    throw new ConfigError([(error as Error).message]);
  }
}

/** The configuration as it is in force, fit for a log or a terminal: without secrets. */
export function printableConfig(config: Config): Record<SettingName, string | number | null> {
  const entries = names.map((name) => {
    const value = config[name] ?? null;
    return [name, settings[name].secret && typeof value === 'string' ? withoutSecret(value) : value];
  });
  return Object.fromEntries(entries) as Record<SettingName, string | number | null>;
}

/**
 * Of a URL only the password is hidden, in the authority and in the query; anything else altogether. Up to the last @,
 * as people forget to escape a password: rather too much than a part of one.
 */
function withoutSecret(value: string): string {
  if (!/^[a-z]+:\/\//.test(value)) {
    return hidden;
  }
  return value
    .replace(/^([a-z]+:\/\/[^@/:]*:).*@/, `$1${hidden}@`)
    .replace(/([?&](?:password|sslpassword|auth)=)[^&#]*/gi, `$1${hidden}`);
}
