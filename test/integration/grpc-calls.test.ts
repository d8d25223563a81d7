import { join } from 'node:path';
import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { loadSync, type MethodDefinition } from '@grpc/proto-loader';
import { afterEach, describe, expect, it } from 'vitest';
import { DrawdownError, ERROR_CODES, type ErrorCode } from '../../src/errors.js';
import { errorDomain, readErrorDetails } from '../../src/grpc/errors.js';
import { livenessService, readinessServices } from '../../src/grpc/health.js';
import { packageRoot } from '../../src/paths.js';
import {
  failure,
  type Harness,
  type HarnessOptions,
  result,
  startHarness,
  until,
  usageEvent,
} from './grpc-fakes.js';

let harness: Harness;
const start = async (options?: HarnessOptions) => {
  harness = await startHarness(options);
};
afterEach(() => harness.stop());

const time = 1_700_000_000_000;
const reserve = {
  holdId: 'h1',
  accountId: 'a1',
  meter: 'llm',
  model: 'gpt-4o-mini',
  amount: { unit: 'UNIT_CREDITS' as const, value: 100 },
  startTimeMs: time,
};
const settle = { ...reserve, eventTimeMs: time };

describe('unary calls', () => {
  it('say what the layers below answered', async () => {
    await start();
    const { usage, accounts, catalog } = harness;
    expect(await result((done) => usage.reserve(reserve, done))).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      held: '100',
      deadlineMs: '1800000000000',
      catalogVersion: 3,
    });
    expect(await result((done) => usage.reserve({ ...reserve, holdId: 'too-much' }, done))).toMatchObject({
      verdict: 'VERDICT_DENIED',
      reason: 'REASON_INSUFFICIENT_BALANCE',
      available: '5',
      missing: '95',
    });
    const extend = { extendId: 'x', accountId: 'a1', holdId: 'h1', addAmount: 50, eventTimeMs: time };
    expect(await result((done) => usage.extend(extend, done))).toMatchObject({ held: '150' });
    expect(await result((done) => usage.settle(settle, done))).toMatchObject({
      charged: '60',
      released: '40',
    });
    const release = { holdId: 'h1', accountId: 'a1', eventTimeMs: time };
    expect(await result((done) => usage.release(release, done))).toMatchObject({ released: '100' });
    expect(await result((done) => usage.checkBalance({ accountId: 'a1' }, done))).toMatchObject({
      verdict: 'VERDICT_ALLOWED',
      balances: [{ unit: 'UNIT_CREDITS', available: '90', held: '10', debt: '0' }],
    });
    expect(await result((done) => usage.getUsage({ accountId: 'a1', holdId: 'h' }, done))).toMatchObject({
      state: 'USAGE_STATE_HELD',
      durable: true,
    });
    expect(
      await result((done) => usage.recordUsageBatch({ events: [usageEvent('e'), usageEvent('')] }, done)),
    ).toMatchObject({ results: [{ outcome: 'EVENT_OUTCOME_RECORDED' }, { reason: 'REASON_FIELD_INVALID' }] });
    const create = { requestId: 'r', accountId: 'a1', eventTimeMs: time };
    expect(await result((done) => accounts.createAccount(create, done))).toMatchObject({
      createdTimeMs: `${time}`,
    });
    expect(await result((done) => accounts.getBalance({ accountId: 'a1' }, done))).toMatchObject({
      status: 'ACCOUNT_STATUS_ACTIVE',
      openHolds: '2',
    });
    expect(await result((done) => accounts.listLots({ accountId: 'a1' }, done))).toMatchObject({
      lots: [{ source: 'LOT_SOURCE_TOP_UP', remaining: '9007199254740991' }],
      nextPageToken: 'more',
    });
    expect(await result((done) => accounts.listHolds({ accountId: 'a1' }, done))).toMatchObject({
      holds: [],
    });
    expect(await result((done) => accounts.listLedgerEntries({ accountId: 'a1' }, done))).toMatchObject({
      entries: [
        { kind: 'ENTRY_KIND_USAGE', quantities: { input_tokens: '1000' }, spent: '150', flags: ['late'] },
      ],
      nextPageToken: 'newest_first/100',
    });
    expect(await result((done) => catalog.getCatalog({ version: 3 }, done))).toMatchObject({ version: 3 });
    const versions = await result((done) => catalog.listCatalogVersions({}, done));
    expect(versions).toMatchObject({ versions: [{ version: 5 }], nextPageToken: '5', inForce: 4 });
    const problems = [{ line: 3, column: 5, path: 'meters.llm', message: 'is missing' }];
    expect(await result((done) => catalog.validateCatalog({ text: 'good' }, done))).toMatchObject({
      valid: true,
      hash: 'def',
    });
    expect(await result((done) => catalog.validateCatalog({ text: 'bad' }, done))).toMatchObject({
      valid: false,
      problems,
    });
    const publish = { requestId: 'p', publishedBy: 'ops@acme' };
    expect(await result((done) => catalog.publishCatalog({ ...publish, text: 'good' }, done))).toMatchObject({
      outcome: 'PUBLISH_OUTCOME_PUBLISHED',
      catalogVersion: { version: 5, publishedBy: 'ops@acme' },
    });
    expect(await result((done) => catalog.publishCatalog({ ...publish, text: 'bad' }, done))).toMatchObject({
      outcome: 'PUBLISH_OUTCOME_REFUSED',
      catalogVersion: null,
      problems,
    });
    const cost = {
      meter: 'llm',
      model: 'gpt-4o-mini',
      quantities: { input_tokens: 1_000, output_tokens: 200 },
    };
    expect(await result((done) => catalog.estimateCost(cost, done))).toMatchObject({
      catalogVersion: 4,
      unrated: false,
      costs: [{ unit: 'UNIT_CREDITS', value: '270' }],
    });
    expect(
      await result((done) => catalog.estimateCost({ ...cost, model: 'unheard-of' }, done)),
    ).toMatchObject({ unrated: true, costs: [] });
  });

  it('count what became of operations, with few labels', async () => {
    await start();
    const { usage, accounts } = harness;
    const events = [usageEvent('1'), usageEvent('2', { model: 'stranger' }), usageEvent('')];
    harness.meter.overdrawn = 3;
    await result((done) => usage.recordUsageBatch({ events }, done));
    await result((done) => usage.settle(settle, done));
    const topUp = { requestId: 'r', accountId: 'a', amount: { unit: 'UNIT_CREDITS' as const, value: 5 } };
    await result((done) => accounts.topUp({ ...topUp, eventTimeMs: time }, done));
    await failure((done) => usage.reserve({}, done));
    const text = await harness.metrics.render();
    for (const line of [
      'drawdown_operations_total{kind="usage",verdict="applied",reason="none"} 2',
      'drawdown_operations_total{kind="usage",verdict="refused",reason="FIELD_INVALID"} 1',
      'drawdown_charged_units_total{unit="micro_credits",meter="llm",model="gpt-4o-mini"} 67',
      'drawdown_charged_units_total{unit="micro_credits",meter="llm",model="other"} 7',
      'drawdown_granted_units_total{unit="micro_credits"} 5',
      'drawdown_debt_booked_units_total{unit="micro_credits"} 6',
      'drawdown_rpc_calls_total{method="UsageService/Reserve",code="INVALID_ARGUMENT"} 1',
      'drawdown_rpc_calls_total{method="UsageService/RecordUsageBatch",code="OK"} 1',
      'drawdown_rpc_duration_seconds_count{method="UsageService/Settle"} 1',
    ]) {
      expect(text).toContain(line);
    }
  });
});

describe('errors', () => {
  it('carry their code, and advice to wait where waiting helps', async () => {
    await start();
    for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
      harness.meter.failWith = new DrawdownError(code, `about ${code}`);
      const error = await failure((done) => harness.usage.reserve(reserve, done));
      expect(error.code).toBe(status[ERROR_CODES[code].status]);
      expect(readErrorDetails(error.metadata)).toEqual({
        reason: code,
        field: null,
        retryAfterMs: ERROR_CODES[code].retry ? 250 : null,
      });
      const isOurMistake = code === 'INTERNAL';
      expect([code, error.details.startsWith(`about ${code}`)]).toEqual([code, !isOurMistake]);
    }
    expect(errorDomain).toBe('drawdown');
  });

  it('of our own making say nothing to the caller and everything to the log', async () => {
    await start();
    harness.meter.failWith = new TypeError('password=hunter2');
    const error = await failure((done) => harness.usage.reserve(reserve, done));
    expect(error.code).toBe(status.INTERNAL);
    expect(JSON.stringify([error.details, error.metadata.toJSON()])).not.toContain('hunter2');
    expect(harness.logged).toContainEqual(expect.objectContaining({ where: 'Reserve', error: 'TypeError' }));
  });
});

describe('deadlines', () => {
  it("reach the usage layer, the caller's own or the named default", async () => {
    await start({ flags: { callDeadlineDefaultMs: '7000', durableWaitMaxMs: '60000' } });
    const deadline = Date.now() + 123_456;
    await result((done) => harness.usage.reserve(reserve, { deadline }, done));
    expect(Math.abs((harness.meter.lastOptions?.deadlineMs ?? 0) - deadline)).toBeLessThan(2_000);
    await result((done) => harness.usage.reserve(reserve, done));
    expect((harness.meter.lastOptions?.deadlineMs ?? 0) - Date.now()).toBeLessThanOrEqual(7_000);
    await result((done) => harness.usage.reserve({ ...reserve, ackLevel: 'ACK_LEVEL_DURABLE' }, done));
    expect(harness.meter.lastOptions?.durable).toBe(true);
    expect((harness.meter.lastOptions?.deadlineMs ?? 0) - Date.now()).toBeGreaterThan(50_000);
  });

  it('end calls that wait, and are counted as such', async () => {
    await start();
    harness.meter.gated = true;
    const error = await failure((done) =>
      harness.usage.reserve(reserve, { deadline: Date.now() + 1_000 }, done),
    );
    expect(error.code).toBe(status.DEADLINE_EXCEEDED);
    const counted = 'drawdown_rpc_calls_total{method="UsageService/Reserve",code="DEADLINE_EXCEEDED"} 1';
    await until(async () => (await harness.metrics.render()).includes(counted));
    harness.meter.letThrough();
  });
});

describe('a bearer token', () => {
  const token = 'a-token-of-16-characters';
  const bearer = (value: string) => {
    const metadata = new Metadata();
    metadata.set('authorization', value);
    return metadata;
  };

  it('is needed by every call once it is configured', async () => {
    await start({ flags: { authToken: token } });
    for (const wrong of [new Metadata(), bearer('Bearer wrong'), bearer(token), bearer(`Basic ${token}`)]) {
      const error = await failure((done) => harness.usage.reserve(reserve, wrong, done));
      expect(error.code).toBe(status.UNAUTHENTICATED);
      expect(readErrorDetails(error.metadata).reason).toBe('UNAUTHENTICATED');
      expect(JSON.stringify(error)).not.toContain(token);
    }
    await result((done) => harness.usage.reserve(reserve, bearer(`Bearer ${token}`), done));
  });

  it('is not needed for health, and is for reflection', async () => {
    await start({ flags: { authToken: token }, reflection: true });
    expect(await health('')).toBe('SERVING');
    const error = await reflect(new Metadata()).catch((failed: ServiceError) => failed);
    expect(error).toMatchObject({ code: status.UNAUTHENTICATED });
    expect(await reflect(bearer(`Bearer ${token}`))).toContain('drawdown.v1.UsageService');
  });
});

const healthProto = loadSync('health/v1/health.proto', {
  includeDirs: [join(packageRoot, 'node_modules/grpc-health-check/proto')],
  enums: String,
  defaults: true,
});
const reflectionProto = loadSync('grpc/reflection/v1/reflection.proto', {
  includeDirs: [join(packageRoot, 'node_modules/@grpc/reflection/build/proto')],
});

async function health(service: string): Promise<string> {
  const check = (healthProto['grpc.health.v1.Health'] as Record<string, MethodDefinition<object, object>>)
    .Check;
  if (check === undefined) throw new Error('no Check');
  const client = new Client(harness.address, credentials.createInsecure());
  try {
    const answer = await result<object>((done) =>
      client.makeUnaryRequest(
        check.path,
        check.requestSerialize,
        check.responseDeserialize,
        { service },
        done as never,
      ),
    );
    return (answer as { status: string }).status;
  } finally {
    client.close();
  }
}

function reflect(metadata: Metadata): Promise<string[]> {
  const service = reflectionProto['grpc.reflection.v1.ServerReflection'] as Record<
    string,
    MethodDefinition<object, object>
  >;
  const info = service.ServerReflectionInfo as MethodDefinition<object, object>;
  const client = new Client(harness.address, credentials.createInsecure());
  const call = client.makeBidiStreamRequest(
    info.path,
    info.requestSerialize,
    info.responseDeserialize,
    metadata,
  );
  return new Promise<string[]>((resolve, reject) => {
    call.on('error', reject);
    call.on('data', (answer: { listServicesResponse: { service: { name: string }[] } }) => {
      call.end();
      resolve(answer.listServicesResponse.service.map(({ name }) => name));
    });
    call.write({ listServices: '' });
  }).finally(() => client.close());
}

describe('health', () => {
  it('follows the sidecar, while liveness does not', async () => {
    await start();
    for (const service of readinessServices) expect(await health(service)).toBe('SERVING');
    harness.health.setServing(false, 'Postgres is away');
    for (const service of readinessServices) expect(await health(service)).toBe('NOT_SERVING');
    expect(await health(livenessService)).toBe('SERVING');
    expect(harness.health.now().reasons).toEqual(['Postgres is away']);
    const unknown = await health('nobody').catch((error: ServiceError) => error.code);
    expect(unknown).toBe(status.NOT_FOUND);
  });

  it('is told to calls while draining', async () => {
    await start();
    harness.meter.gated = true;
    const waiting = result((done) => harness.usage.reserve(reserve, done));
    await until(() => harness.meter.lastOptions !== null);
    const drained = harness.server.drain(60_000);
    expect(await health(livenessService)).toBe('SERVING');
    harness.meter.letThrough();
    await waiting;
    await drained;
  });
});

describe('reflection', () => {
  it('names the services where it is on, and is unknown where it is off', async () => {
    await start({ reflection: true });
    expect(await reflect(new Metadata())).toContain('drawdown.v1.AccountService');
    harness.stop();
    await start();
    expect(await reflect(new Metadata()).catch((error: ServiceError) => error.code)).toBe(
      status.UNIMPLEMENTED,
    );
  });
});
