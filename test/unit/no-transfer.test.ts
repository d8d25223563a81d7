/** What must not exist: no call names two accounts, and none takes units out of an account but usage, conversion and expiry. */
import protobuf from 'protobufjs';
import { describe, expect, it } from 'vitest';
import { packageDefinition } from '../../src/grpc/proto.js';
import { protoDirectory } from '../../src/paths.js';

const root = new protobuf.Root();
root.resolvePath = (_, target) => `${protoDirectory}/${target}`;
root.loadSync(
  ['usage_service', 'account_service', 'agent_service', 'catalog_service'].map(
    (file) => `drawdown/v1/${file}.proto`,
  ),
);
root.resolveAll();

/** Where a request names accounts, as a path; `[]` behind what may be there several times. */
function accountFields(type: protobuf.Type, path = '', seen: readonly string[] = []): string[] {
  if (seen.includes(type.fullName)) return [];
  return type.fieldsArray.flatMap((field) => {
    const here = `${path}${field.name}${field.repeated ? '[]' : ''}`;
    if (field.resolvedType instanceof protobuf.Type)
      return accountFields(field.resolvedType, `${here}.`, [...seen, type.fullName]);
    return /account|owner|recipient|payer|payee|beneficiary/i.test(field.name) && field.type === 'string'
      ? [here]
      : [];
  });
}

const services = Object.keys(packageDefinition).filter((name) => /^drawdown\.v1\.\w+Service$/.test(name));
const methods = services.flatMap((name) =>
  root.lookupService(name).methodsArray.map((method) => ({
    name: `${name.split('.').at(-1)}/${method.name}`,
    request: method.resolvedRequestType as protobuf.Type,
  })),
);

/** Each element is an operation of its own on one account, or is only read. */
const SEVERAL: Readonly<Record<string, readonly string[]>> = {
  'UsageService/RecordUsage': ['events[].accountId'],
  'UsageService/RecordUsageBatch': ['events[].accountId'],
  'UsageService/MeterUsage': ['opens[].accountId'],
  'AccountService/WatchBalance': ['accounts[].accountId'],
};

describe('the contract', () => {
  it('is what these tests look at', () => {
    expect(services.length).toBeGreaterThanOrEqual(3);
    expect(methods.length).toBeGreaterThan(25);
  });

  it.each(methods)('names one account at most in $name', ({ name, request }) => {
    const expected = name.startsWith('CatalogService/') ? [] : (SEVERAL[name] ?? ['accountId']);
    expect(accountFields(request)).toEqual(expected);
  });

  it.each(methods)('neither transfers, withdraws nor refunds in $name', ({ name, request }) => {
    const forbidden = /transfer|withdraw|refund|payout|cash|send|(?<!re)move|gift|donat/i;
    expect(name.split('/')[1]).not.toMatch(forbidden);
    expect(request.fieldsArray.map((field) => field.name).join(' ')).not.toMatch(forbidden);
  });
});
