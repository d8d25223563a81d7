import type { Command } from 'commander';
import type { Config } from '../config.js';
import type { Io } from './io.js';

/** Modules that only some commands need are loaded by these, so that all others start fast and work without them. */

export interface MigratingModule {
  /** Brings Postgres to this version's schema; names what was applied. */
  migrateInstallation(config: Config): Promise<{ applied: readonly string[] }>;
}

/** A file of this folder that adds one command. */
export interface CommandModule {
  addCommand(program: Command, io: Io): void;
}

export async function load<Module>(file: string): Promise<Module> {
  return (await import(new URL(file, import.meta.url).href)) as Module;
}
