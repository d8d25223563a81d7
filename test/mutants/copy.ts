/** A throwaway copy of the sources: mutants are never applied to the tree that somebody works in. */
import { cpSync, mkdtempSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { packageRoot } from '../../src/paths.js';
import type { Edit } from './mutants.js';

/** What is installed or made; node_modules is linked. */
const NOT_COPIED = /^(node_modules|dist|dist-bench|coverage|\.git|\.drawdown|\.tmp)$/;

/** The text with the edit; throws where what it replaces is not there exactly once, so that no mutant is the original. */
export function edited(text: string, { file, find, replace }: Edit): string {
  const parts = text.split(find);
  if (parts.length !== 2)
    throw new Error(`${file} has this ${parts.length - 1} times instead of once:\n${find}`);
  if (find === replace) throw new Error(`${file}: an edit that changes nothing`);
  return parts.join(replace);
}

export class SourceCopy {
  readonly directory = realpathSync(mkdtempSync(join(tmpdir(), 'drawdown-mutants-')));

  constructor() {
    cpSync(packageRoot, this.directory, {
      recursive: true,
      filter: (path) => !NOT_COPIED.test(relative(packageRoot, path)),
    });
    symlinkSync(realpathSync(join(packageRoot, 'node_modules')), join(this.directory, 'node_modules'));
  }

  /** Applies all edits, or throws and applies none. Returns what takes them back. */
  apply(edits: readonly Edit[]): () => void {
    const before = new Map<string, string>();
    const after = new Map<string, string>();
    for (const edit of edits) {
      const path = join(this.directory, edit.file);
      if (!before.has(path)) before.set(path, readFileSync(path, 'utf8'));
      after.set(path, edited(after.get(path) ?? (before.get(path) as string), edit));
    }
    for (const [path, text] of after) writeFileSync(path, text);
    return () => {
      for (const [path, text] of before) writeFileSync(path, text);
    };
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
