import type { Tree } from './document.js';

/** Looking into a tree whose shape is not known to be right: what is not there, or is something else, is empty. */

/** Names in messages are cut: a message is for reading. */
const shownLengthMax = 80;

export function quote(value: Tree): string {
  return typeof value === 'string' ? `'${value.slice(0, shownLengthMax)}'` : 'a value';
}

export function asMap(value: Tree | undefined): Map<string, Tree> {
  const isMapping = typeof value === 'object' && value !== null && !Array.isArray(value);
  return isMapping ? new Map(Object.entries(value)) : new Map();
}

export function asList(value: Tree | undefined): readonly Tree[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: Tree | undefined): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
