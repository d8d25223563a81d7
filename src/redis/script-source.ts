import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { luaDirectory } from '../paths.js';

/** A script that is ready to be loaded. */
export interface ScriptSource {
  readonly name: string;
  readonly text: string;
  /** Lower-case hex SHA-1 of the text: what EVALSHA names. */
  readonly sha: string;
}

export interface ScriptOptions {
  /** Runs also when Redis is out of memory: for work that ends work. */
  readonly allowOutOfMemory: boolean;
  /** Texts that replace includes by name. The only users are tests and the demo of the policy, which set the clock. */
  readonly replacedIncludes?: ReadonlyMap<string, string>;
}

const INCLUDE = /^-- @include "([a-z_]+)"$/gm;
const INSIDE = /^-- @inside "([a-z_]+)"$/gm;

/**
 * Reads lua/<name>.lua and puts each include (`-- @include "name"`, from lua/includes) before it once, in the order of need; and in the place of
 * `-- @inside "name"`, which stands in a function, that file and what it needs beyond what is there already: known to nobody else.
 * Throws on a circle and on an include that does not exist.
 */
export function readScript(name: string, options: ScriptOptions): ScriptSource {
  const read = (file: string, include: string | null, path: readonly string[], done: Set<string>): string => {
    const replaced = include === null ? undefined : options.replacedIncludes?.get(include);
    const text = replaced ?? readFileSync(join(luaDirectory, file), 'utf8');
    const needed = (name: string, known: Set<string>): string => {
      if (path.includes(name)) throw new Error(`circle of includes: ${[...path, name].join(' -> ')}`);
      return read(`includes/${name}.lua`, name, [...path, name], known);
    };
    let before = '';
    for (const match of text.matchAll(INCLUDE)) {
      const name = match[1] as string;
      if (done.has(name)) continue;
      before += `${needed(name, done)}\n`;
      done.add(name);
    }
    return withoutComments(before + text.replace(INSIDE, (_, name: string) => needed(name, new Set(done))));
  };
  const body = withConstants(read(`${name}.lua`, null, [], new Set()));
  const text = `#!lua${options.allowOutOfMemory ? ' flags=allow-oom' : ''}\n${body}`;
  return { name, text, sha: createHash('sha1').update(text).digest('hex') };
}

const CONSTANTS =
  /^local ([A-Z][A-Z0-9_]*(?:, [A-Z][A-Z0-9_]*)*) = ((?:'[^'\n]*'|\d+)(?:, (?:'[^'\n]*'|\d+))*)\n/gm;

/** Puts the values of `local NAME = literal` (upper case, from the start of a line) in place of the names. */
function withConstants(text: string): string {
  const values = new Map<string, string>();
  const rest = text.replace(CONSTANTS, (_, names: string, literals: string) => {
    const given = literals.split(', ');
    names.split(', ').forEach((name, i) => {
      values.set(name, given[i] as string);
    });
    return '';
  });
  return rest.replace(/'[^'\n]*'|\b[A-Z][A-Z0-9_]*\b/g, (word) => values.get(word) ?? word);
}

/** Comments that fill a line; the scripts are read in the repository, not in Redis. */
function withoutComments(text: string): string {
  return text.replace(/^\s*--.*\n/gm, '');
}
