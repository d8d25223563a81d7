import { LOT_SOURCES } from '../credits/types.js';
import { ENTRY, FLAG } from '../redis/format.js';
import { UNITS } from '../usage/types.js';

/** Numbers of the formats in the words of SQL. */

function namesByNumber(numbers: Readonly<Record<string, number>>): string[] {
  const names: string[] = [];
  for (const [name, number] of Object.entries(numbers)) names[number] = name;
  return names;
}

const UNIT_NAMES = namesByNumber(UNITS);
const SOURCE_NAMES = namesByNumber(LOT_SOURCES);
const KIND_NAMES = namesByNumber(ENTRY);
const FLAG_NAMES = Object.keys(FLAG) as (keyof typeof FLAG)[];

/** Empty for 0: an entry that concerns no wallet. */
export function unitName(unit: number): string {
  return UNIT_NAMES[unit] ?? '';
}

export function sourceName(source: number): string {
  return known(SOURCE_NAMES, source);
}

export function kindName(kind: number): string {
  return known(KIND_NAMES, kind);
}

/** Names of the set bits, with commas. */
export function flagNames(flags: number): string {
  if (flags === 0) return '';
  return FLAG_NAMES.filter((name) => (flags & FLAG[name]) !== 0).join(',');
}

function known(names: readonly string[], number: number): string {
  const name = names[number];
  if (name === undefined) throw new Error(`no name for ${number}`);
  return name;
}
