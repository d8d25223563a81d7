/** Vitest's global setup: one Postgres for the whole run, in which each test makes databases of its own. */
import type { TestProject } from 'vitest/node';
import { makeTemplate, startPostgres, sweepLeftovers } from './stores.js';

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  await sweepLeftovers();
  const postgres = await startPostgres();
  await makeTemplate(postgres.url);
  project.provide('postgresUrl', postgres.url);
  return () => postgres.stop();
}
