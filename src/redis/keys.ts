import { crc32 } from 'node:zlib';

/** The names of all keys; nothing else builds one. */

/** The partition of an account: crc32 (IEEE) of the UTF-8 id, modulo the partition count. Part of the stored format. */
export function partitionOf(accountId: string, partitionCount: number): number {
  return crc32(accountId) % partitionCount;
}

/** KEYS of every script, in the order that lua/*.lua bind; one hash tag, so one cluster slot. */
export type PartitionKeys = readonly [
  meta: string,
  accounts: string,
  agents: string,
  holds: string,
  ids0: string,
  ids1: string,
  deadlines: string,
  journal: string,
];

export function partitionKeys(prefix: string, partition: number): PartitionKeys {
  const tag = `${prefix}:{${prefix}-${partition}}`;
  return [
    `${tag}:meta`,
    `${tag}:accounts`,
    `${tag}:agents`,
    `${tag}:holds`,
    `${tag}:ids:0`,
    `${tag}:ids:1`,
    `${tag}:deadlines`,
    `${tag}:journal`,
  ];
}

/** Scope of ids and holds of one account: length, colon, id; so that no two accounts' fields can collide. */
export function accountScope(accountId: string): string {
  return `${Buffer.byteLength(accountId)}:${accountId}`;
}

/** The field of a hold: in the hash of holds, of its id, and its member among the deadlines. */
export function holdField(accountId: string, holdId: string): string {
  return `h${accountScope(accountId)}${holdId}`;
}

/** The holds that share a deadline, by its member; none where it is of one hold or account (DEADLINE_OF_MANY of lua/includes/formats.lua). */
export function fieldsOfDeadline(member: string): string[] {
  return member.startsWith('m') ? member.slice(1).split('\0') : [];
}

/** The account and the rest of what follows the letter of a field. Throws where the field was not made by accountScope. */
export function splitScope(field: string): { accountId: string; id: string } {
  const colon = field.indexOf(':');
  const length = Number(field.slice(0, colon));
  if (colon < 1 || !Number.isInteger(length)) throw new Error(`not a scoped field: ${field}`);
  return {
    accountId: field.slice(colon + 1, colon + 1 + length),
    id: field.slice(colon + 1 + length),
  };
}
