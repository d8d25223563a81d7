import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { loadConfig } from '../config.js';
import { SidecarClient } from './client.js';
import { parseAck, parseTime } from './parse.js';

/** What all commands that call a sidecar share. */

export interface SidecarOptions {
  readonly address?: string;
  readonly token?: string;
  readonly json?: boolean;
}

export function addSidecarOptions(command: Command): Command {
  return command
    .option('--address <address>', 'gRPC address of the sidecar (default: grpcAddress of the configuration)')
    .option('--token <token>', 'bearer token (default: authToken of the configuration)')
    .option('--json', 'print the answer as JSON, large numbers as strings');
}

/** Runs an action with a connection that is closed afterwards. */
export async function withSidecar<T>(
  options: SidecarOptions,
  action: (client: SidecarClient) => Promise<T>,
): Promise<T> {
  const client = new SidecarClient(sidecarOf(options));
  try {
    return await action(client);
  } finally {
    client.close();
  }
}

function sidecarOf({ address, token }: SidecarOptions): { address: string; token: string | undefined } {
  if (address !== undefined && token !== undefined) return { address, token };
  const config = loadConfig();
  return { address: address ?? config.grpcAddress, token: token ?? config.authToken };
}

export interface MutationOptions extends SidecarOptions {
  readonly id?: string;
  readonly time?: string;
  readonly ack?: 'ACK_LEVEL_APPLIED' | 'ACK_LEVEL_DURABLE';
}

/** `idHelp` says what the id names; a command whose id must be given declares --id itself. */
export function addMutationOptions(command: Command, idHelp?: string): Command {
  if (idHelp !== undefined) command.option('--id <id>', `${idHelp} (default: a new one)`);
  return addSidecarOptions(command)
    .option(
      '--time <time>',
      'when it happened, ISO 8601 or milliseconds since 1970 (default: now)',
      parseTime,
    )
    .option('--ack <level>', "applied or durable: when to answer (default: the call's own)", parseAck);
}

export interface Mutation {
  readonly id: string;
  readonly eventTimeMs: string;
  readonly ackLevel?: 'ACK_LEVEL_APPLIED' | 'ACK_LEVEL_DURABLE';
}

/** Id, time and acknowledgement of a mutating call: what was given, else new ones. */
export function mutationOf({ id, time, ack }: MutationOptions): Mutation {
  const mutation = { id: id ?? `cli-${randomUUID()}`, eventTimeMs: time ?? String(Date.now()) };
  return ack === undefined ? mutation : { ...mutation, ackLevel: ack };
}

/** The flags that repeat exactly this call. */
export function repeatWith({ id, eventTimeMs }: Mutation): string {
  return `--id ${id} --time ${eventTimeMs}`;
}
