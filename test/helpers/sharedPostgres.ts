/** Vitest's global setup: one Postgres for the whole run, in which each test file makes a database of its own. */
import type { TestProject } from 'vitest/node';
import { startPostgres, sweepLeftovers } from './stores.js';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await sweepLeftovers();
  const postgres = await startPostgres();
  project.provide('postgresUrl', postgres.url);
  return () => postgres.stop();
}
