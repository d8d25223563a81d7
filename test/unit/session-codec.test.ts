import { join } from 'node:path';
import fc from 'fast-check';
import protobuf from 'protobufjs';
import { expect, test } from 'vitest';
import {
  type AnswerReader,
  beginMessage,
  decodeMeterAnswer,
  endMessage,
  hasRoom,
  openSize,
  writeOpen,
  writeProgress,
  writeRelease,
  writeSettle,
} from '../../src/client/session-codec.js';
import { protoDirectory } from '../../src/paths.js';

/** The client's codec of MeterUsage beside protobufjs. */

const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(protoDirectory, target);
root.loadSync('drawdown/v1/usage_service.proto');
const requestType = root.lookupType('drawdown.v1.MeterUsageRequest');
const openType = root.lookupType('drawdown.v1.SessionOpen');
const responseType = root.lookupType('drawdown.v1.MeterUsageResponse');

const name = fc.stringMatching(/^[A-Za-z0-9._\-:@/]{1,128}$/).filter((text) => text !== '__proto__');
const whole = fc.oneof(
  fc.integer({ min: 0, max: 300 }),
  fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER }),
  fc.constant(Number.MAX_SAFE_INTEGER),
);
const time = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
const number = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const quantities = fc.dictionary(name, whole, { minKeys: 1, maxKeys: 24 });

const anyOpen = fc.record({
  session: number,
  sessionId: name,
  accountId: name,
  agentId: name,
  meter: name,
  model: name,
  startTimeMs: time,
  known: quantities,
  counted: fc.array(name, { minLength: 1, maxLength: 5 }),
  expectedMax: time,
  whole: fc.constant(true),
  generation: fc.integer({ min: 1, max: 2 ** 31 - 1 }),
});
const anyProgress = fc.record({ session: number, counts: fc.array(whole, { minLength: 1, maxLength: 24 }) });
const anySettle = fc.record({ session: number, quantities, eventTimeMs: time });
const anyRelease = fc.record({ session: number, eventTimeMs: time });

test('others read what the client writes', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1 }),
      fc.array(anyOpen, { maxLength: 2 }),
      fc.array(anyProgress, { maxLength: 4 }),
      fc.array(anySettle, { maxLength: 2 }),
      fc.array(anyRelease, { maxLength: 3 }),
      (messageNumber, opens, progress, settles, releases) => {
        beginMessage(messageNumber);
        for (const open of opens) writeOpen(open.session, open, open.startTimeMs, open.generation);
        for (const { session, counts } of progress) writeProgress(session, counts);
        for (const { session, quantities, eventTimeMs } of settles) {
          writeSettle(session, quantities, eventTimeMs);
        }
        for (const { session, eventTimeMs } of releases) writeRelease(session, eventTimeMs);
        const read = requestType.toObject(requestType.decode(endMessage()), { longs: Number, arrays: true });
        expect(read).toEqual({ messageNumber, opens, progress, settles, releases });
      },
    ),
  );
});

test('what an open leaves out is left out', () => {
  const request = { sessionId: 's', accountId: 'a', meter: 'm', model: 'x', counted: ['n'] };
  beginMessage(1);
  writeOpen(7, request, 5, 0);
  const read = requestType.toObject(requestType.decode(endMessage()), { longs: Number });
  expect(read).toEqual({ messageNumber: 1, opens: [{ session: 7, ...request, startTimeMs: 5 }] });
});

test('an open counts with the bytes that it has on the wire', () => {
  fc.assert(
    fc.property(anyOpen, (open) => {
      const { session: _, generation: __, ...said } = open;
      expect(openSize(open, open.startTimeMs)).toBe(
        openType.encode(openType.fromObject(said)).finish().length,
      );
    }),
  );
});

test('a message ends before the smallest limit of a sidecar, whatever its last part', () => {
  const longest = Object.fromEntries(
    Array.from({ length: 24 }, (_, i) => [`${i}`.padEnd(128, 'x'), Number.MAX_SAFE_INTEGER]),
  );
  const text = 'x'.repeat(128);
  const open = {
    sessionId: text,
    accountId: text,
    agentId: text,
    meter: text,
    model: text,
    known: longest,
    counted: Object.keys(longest).map((one) => one.replace('x', 'y')),
    expectedMax: Number.MAX_SAFE_INTEGER,
    whole: true,
  };
  beginMessage(Number.MAX_SAFE_INTEGER);
  let opens = 0;
  for (; hasRoom(); opens++) {
    writeOpen(2 ** 32 - 1, open, Number.MAX_SAFE_INTEGER, 2 ** 31 - 1);
  }
  const bytes = endMessage();
  expect(bytes.length).toBeLessThan(65_536);
  expect(requestType.toObject(requestType.decode(bytes)).opens).toHaveLength(opens);
});

/** What the client reads, part by part. */
function read(response: object): unknown[] {
  const parts: unknown[] = [];
  const reader: AnswerReader = {
    opened: (opened) => parts.push(['opened', { ...opened, counts: [...opened.counts] }]),
    acknowledged: (session, counts, through) => parts.push(['acknowledged', session, [...counts], through]),
    stopped: (...given) => parts.push(['stopped', ...given]),
    settled: (...given) => parts.push(['settled', ...given]),
    released: (...given) => parts.push(['released', ...given]),
    refused: (...given) => parts.push(['refused', ...given]),
    durable: (through) => parts.push(['durable', through]),
    resend: (numbers) => parts.push(['resend', numbers]),
    drain: () => parts.push(['drain']),
  };
  const bytes = responseType.encode(responseType.fromObject(response)).finish();
  decodeMeterAnswer(Buffer.from(bytes), reader);
  return parts;
}

test('the client reads acknowledgements of many sessions', () => {
  const anyAcknowledged = fc.record({
    session: number,
    counts: fc.array(whole, { maxLength: 24 }),
    allowedThrough: whole,
  });
  fc.assert(
    fc.property(fc.array(anyAcknowledged, { maxLength: 20 }), (acknowledged) => {
      const expected = acknowledged.map(({ session, counts, allowedThrough }) => [
        'acknowledged',
        session,
        counts,
        allowedThrough,
      ]);
      expect(read({ acknowledged })).toEqual(expected);
    }),
  );
});

test('the client reads every part of an answer', () => {
  const opened = {
    session: 300,
    allowedThrough: 70_000,
    held: 2 ** 40,
    available: 5,
    missing: 6,
    catalogVersion: 7,
    counts: [1, 300],
    generation: 2,
  };
  const settled = {
    charged: 2,
    released: 3,
    overdrawn: 4,
    available: 2 ** 53 - 1,
    late: true,
    holdUnknown: false,
    unrated: true,
    duplicate: false,
    catalogVersion: 10,
    converted: 11,
  };
  const response = {
    opened: [{ ...opened, verdict: 2, reason: 1, unit: 2 }],
    stops: [{ session: 4, reason: 17, allowedThrough: 9 }],
    ended: [
      { session: 5, settled: { ...settled, unit: 3, releasedUnit: 1 } },
      { session: 6, released: { unit: 1, released: 12, available: 13, duplicate: true } },
    ],
    refused: [{ session: 8, reason: 12, message: 'known: zu groß 😀', retryAfterMs: 250 }],
    durableThrough: 14,
    resend: [3, 300],
    drain: { withinMs: 5 },
  };
  expect(read(response)).toEqual([
    ['opened', { ...opened, isAllowed: false, reason: 'INSUFFICIENT_BALANCE', unit: 2 }],
    ['stopped', 4, 'SESSION_MOVED', 9],
    [
      'settled',
      5,
      {
        ...settled,
        outcome: 'settled',
        unit: 'llm_messages',
        releasedUnit: 'credits',
        charged: 2n,
        released: 3n,
        overdrawn: 4n,
        available: 2n ** 53n - 1n,
        converted: 11n,
      },
    ],
    ['released', 6, { unit: 'credits', released: 12n, available: 13n, duplicate: true }],
    ['refused', 8, 'FIELD_INVALID', 'known: zu groß 😀', 250],
    ['durable', 14],
    ['drain'],
    ['resend', [3, 300]],
  ]);
});

test('what a newer sidecar adds is passed over', () => {
  const unknown = Buffer.from([0xf8, 0x01, 5, 0xfa, 0x01, 2, 1, 2]);
  const known = responseType.encode(responseType.fromObject({ durableThrough: 3 })).finish();
  const seen: number[] = [];
  decodeMeterAnswer(Buffer.concat([unknown, known]), {
    durable: (through: number) => seen.push(through),
  } as unknown as AnswerReader);
  expect(seen).toEqual([3]);
});
