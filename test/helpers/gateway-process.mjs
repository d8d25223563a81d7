// A gateway to be killed or frozen: a process of its own on `drawdown/client` as it is built. Its sessions advance at random, from a seed; some are settled,
// some are left. What it is about to send it says before it sends it, and what it learns when it learns it, as lines of JSON: gateway.ts reads them.
import { writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { Meter } from 'drawdown/client';

const { addresses, accountId, startTimeMs, seed } = JSON.parse(process.argv[2]);
const work = { accountId, meter: 'llm', model: 'claude-haiku-4-5' };
const input_tokens = 100;

let state = seed % 2_147_483_647 || 1;
/** A whole number from `min` to `max`, both included. */
function between(min, max) {
  state = (state * 48_271) % 2_147_483_647;
  return min + (state % (max - min + 1));
}

/** Returns when the line is on the pipe. */
function say(line) {
  writeSync(1, `${JSON.stringify(line)}\n`);
}

const meter = new Meter({ addresses });

/** Open sessions, with what was said of them. */
const open = new Map();

function sayAcknowledged() {
  for (const [session, said] of open) {
    const acknowledged = session.acknowledged.output_tokens;
    if (acknowledged > said) say({ id: session.sessionId, acknowledged });
    open.set(session, acknowledged);
  }
}

/** Each session that is left open has said one thing more and heard that it was written down: in the Redis that there is now. */
async function allAcknowledged() {
  const left = [...open.keys()].filter(({ stopped }) => stopped === null);
  for (const session of left) {
    const sent = session.counts.output_tokens + 1;
    say({ id: session.sessionId, sent });
    session.report({ output_tokens: sent });
  }
  const isHeard = ({ acknowledged, counts, stopped }) =>
    stopped !== null || acknowledged.output_tokens === counts.output_tokens;
  while (!left.every(isHeard)) await pause(5);
}

async function settle(id, output_tokens, call) {
  say({ id, settling: output_tokens });
  try {
    const { outcome, charged = 0n, late = false } = await call({ input_tokens, output_tokens });
    say({ id, settled: output_tokens, outcome, charged: Number(charged), late });
  } catch (error) {
    say({ id, refused: error.reason });
  }
}

/** `count`: how far an earlier gateway was. */
async function serve({ id, count }) {
  const request = { ...work, startTimeMs, known: { input_tokens }, counted: ['output_tokens'] };
  const session = await meter.open({ ...request, sessionId: id });
  if (!session.allowed) {
    say({ id, denied: session.reason });
    const end = { ...work, holdId: id, eventTimeMs: Date.now() };
    if (session.reason === 'HOLD_ENDED' && between(0, 1) === 1) {
      await settle(id, count + between(0, 5), (quantities) => meter.settle({ ...end, quantities }));
    }
    return;
  }
  const acknowledged = session.acknowledged.output_tokens;
  say({ id, opened: session.generation, acknowledged });
  open.set(session, acknowledged);
  session.onStop((reason) => say({ id, stopped: reason }));
  let sent = Math.max(count, session.counts.output_tokens);
  for (let left = between(0, 40); left > 0; left--) {
    await pause(between(1, 15));
    sent += between(1, 4);
    say({ id, sent });
    session.report({ output_tokens: sent });
  }
  if (between(0, 1) === 0) return;
  open.delete(session);
  await settle(id, Math.max(0, sent + between(-5, 5)), (quantities) => session.settle(quantities));
}

const acknowledging = setInterval(sayAcknowledged, 5);
say({ ready: true });
// Each line is a list of sessions to serve; the end is that of the gateway.
for await (const line of createInterface({ input: process.stdin })) {
  void Promise.all(JSON.parse(line).map(serve)).then(() => say({ served: true }));
}
await allAcknowledged();
clearInterval(acknowledging);
const { isDrained } = await meter.close();
sayAcknowledged();
say({ closed: isDrained });
