/** Deadlines say when to look; a look says what is due, and drops those of which nothing is left. */
import { expect, it } from 'vitest';
import { holdField } from '../../src/redis/keys.js';
import type { DueReply } from '../../src/redis/scripts.js';
import { START_MS } from '../oracle/generators.js';
import type { Op } from '../oracle/model.js';
import { ComparedPartition } from './compared-partition.js';
import { scriptsOfFile } from './scripts.js';

const scripts = scriptsOfFile();

const account = 'a';
const HOLD_MS = 1_000;
const BEGINNING: Op[] = [
  { kind: 'create', account, id: 'create', payload: 'p' },
  { kind: 'grant', account, id: 'g', payload: 'p', unit: 'credits', amount: 1_000n, expiresAtMs: undefined },
];

const open = (hold: string, holdTimeMs = HOLD_MS): Op => ({
  kind: 'openSession',
  account,
  hold,
  payload: 'p',
  offers: [{ unit: 'credits', charge: 1n, least: 10n, wanted: 10n }],
  holdTimeMs,
  catalogVersion: 1,
  quantities: '{}',
});
const settle = (hold: string): Op => ({
  kind: 'settle',
  account,
  hold,
  payload: 'p',
  prices: [{ unit: 'credits', amount: 5n }],
  pricedWith: 1,
});
const renew = (hold: string, holdTimeMs: number): Op => ({
  kind: 'checkpoint',
  account,
  hold,
  generation: 1,
  charge: 2n,
  quantities: '{}',
  holdTimeMs,
  growLeast: 0n,
  growWanted: 0n,
});
const expire = (hold: string): Op => ({ kind: 'expireHold', account, hold });
/** Judged at length, and so is what follows it in its batch. */
const reserve = (hold: string, holdTimeMs: number): Op => ({
  kind: 'reserve',
  account,
  hold,
  payload: 'p',
  prices: [{ unit: 'credits', amount: 1n }],
  holdTimeMs,
  catalogVersion: 1,
});

/** A partition, and what a look at `looks` deadlines says at `atMs`. */
async function begun() {
  const compared = await ComparedPartition.open(scripts, START_MS);
  await compared.batch(BEGINNING, START_MS);
  const look = async (atMs: number, looks = 100): Promise<DueReply> => {
    await scripts.setClock(atMs);
    const reply = await scripts.scripts.due(compared.partition.fence(), looks);
    if (reply.status !== 'OK') throw new Error(`the fence refused: ${JSON.stringify(reply)}`);
    return reply;
  };
  const deadlines = () =>
    scripts.connection.client.zrange(compared.partition.keys[6], '-inf', '(+inf', 'BYSCORE');
  return { compared, look, deadlines };
}

const nothing = { status: 'OK', due: [], dropped: 0, more: false };
const due = (...holds: string[]) => holds.map((holdId) => ({ accountId: account, holdId }));

it('sessions that begin together share a deadline; once it has passed, those that are open are due, and it goes with the last', async () => {
  const { compared, look, deadlines } = await begun();
  await compared.batch([open('s1'), open('s2'), open('s3')], START_MS);
  expect(await deadlines()).toEqual([
    `m${['s1', 's2', 's3'].map((id) => holdField(account, id)).join('\0')}`,
  ]);
  await compared.batch([settle('s2')], START_MS);
  expect(await look(START_MS + HOLD_MS - 1)).toEqual(nothing);
  expect(await look(START_MS + HOLD_MS)).toEqual({ ...nothing, due: due('s1', 's3') });
  await compared.batch([expire('s1'), expire('s3')], START_MS + HOLD_MS);
  expect(compared.world.ledger.filter(({ kind }) => kind === 'session_expired')).toHaveLength(2);
  expect(await look(START_MS + HOLD_MS)).toEqual({ ...nothing, dropped: 1 });
  expect(await deadlines()).toEqual([]);
});

it('those with another hold time have another deadline', async () => {
  const { compared, look } = await begun();
  await compared.batch([open('s1'), open('s2', 2 * HOLD_MS), open('s3')], START_MS);
  expect(await look(START_MS + HOLD_MS)).toEqual({ ...nothing, due: due('s1', 's3') });
  expect(await look(START_MS + 2 * HOLD_MS)).toMatchObject({ due: due('s1', 's3', 's2') });
});

it('a session that was renewed has a deadline of its own, and is due by that one alone', async () => {
  const { compared, look, deadlines } = await begun();
  await compared.batch([open('s1'), open('s2')], START_MS);
  await compared.batch([renew('s1', 3 * HOLD_MS), settle('s2')], START_MS);
  expect(await look(START_MS + HOLD_MS)).toEqual({ ...nothing, dropped: 1 });
  expect(await deadlines()).toEqual([holdField(account, 's1')]);
  expect(await look(START_MS + 3 * HOLD_MS)).toEqual({ ...nothing, due: due('s1') });
});

it('a session that was renewed and settled leaves its deadline to a look', async () => {
  const { compared, look, deadlines } = await begun();
  await compared.batch([open('s1')], START_MS);
  await compared.batch([renew('s1', 3 * HOLD_MS)], START_MS);
  await compared.batch([settle('s1')], START_MS);
  expect(await look(START_MS + 3 * HOLD_MS)).toEqual({ ...nothing, dropped: 2 });
  expect(await deadlines()).toEqual([]);
});

it('a reservation takes its deadline along, whichever way it ends', async () => {
  const { compared, deadlines } = await begun();
  await compared.batch([reserve('h1', HOLD_MS), reserve('h2', HOLD_MS)], START_MS);
  expect(await deadlines()).toHaveLength(2);
  await compared.batch([settle('h1')], START_MS);
  expect(await deadlines()).toEqual([holdField(account, 'h2')]);
  await compared.batch([{ kind: 'release', account, hold: 'h2' }], START_MS);
  expect(await deadlines()).toEqual([]);
});

it('beside what is judged at length each has its own, whichever comes first', async () => {
  const { compared, look } = await begun();
  await compared.batch([open('s1'), reserve('h1', HOLD_MS), open('s2'), settle('s1')], START_MS);
  expect(await look(START_MS + HOLD_MS)).toEqual({ ...nothing, due: due('h1', 's2') });
});

it('an account of which something else is due ends all of its holds that are overdue, once', async () => {
  const { compared } = await begun();
  const expiring: Op = {
    kind: 'grant',
    account,
    id: 'soon',
    payload: 'p',
    unit: 'credits',
    amount: 5n,
    expiresAtMs: START_MS + 2 * HOLD_MS,
  };
  await compared.batch([open('s1'), open('s2')], START_MS);
  // s2 stands among the deadlines of many at its first deadline, and by itself at its second.
  await compared.batch([renew('s2', HOLD_MS + 1), expiring], START_MS);
  await compared.batch([{ kind: 'touch', account }], START_MS + 3 * HOLD_MS);
  const ended = compared.world.ledger.filter(({ kind }) => kind === 'session_expired').map(({ id }) => id);
  expect(ended).toEqual(['s1', 's2']);
});

it('a look is no larger than it is told, and says that there is more', async () => {
  const { compared, look } = await begun();
  for (const hold of ['s1', 's2', 's3']) await compared.batch([open(hold)], START_MS);
  await compared.batch([settle('s1'), settle('s3')], START_MS);
  const later = START_MS + HOLD_MS;
  expect(await look(later, 1)).toEqual({ status: 'OK', due: [], dropped: 1, more: true });
  expect(await look(later, 2)).toEqual({ status: 'OK', due: due('s2'), dropped: 1, more: true });
  expect(await look(later, 2)).toEqual({ ...nothing, due: due('s2') });
});

it('what is due of an account comes among the rest, in the order of the deadlines', async () => {
  const { compared, look } = await begun();
  const expiring: Op = {
    ...(BEGINNING[1] as Op & { kind: 'grant' }),
    id: 'soon',
    expiresAtMs: START_MS + 10,
  };
  await compared.batch([open('s1', 20), open('s2', 5), expiring], START_MS);
  expect(await look(START_MS + 20)).toEqual({ ...nothing, due: due('s2', '', 's1') });
});
