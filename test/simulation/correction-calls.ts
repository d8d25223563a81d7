/** What puts our own mistakes right, and what stops an account. */
import type { ExpireLotCall, ReverseUsageCall, SetStatusCall } from '../../src/credits/correction-types.js';
import type { UsageEvent } from '../../src/usage/types.js';
import type { LotChange, Op, Unit } from '../oracle/model.js';
import { type Call, done, NAMES, told, unless } from './calls.js';
import { pricesOf } from './tariffs.js';

export function reverse(call: ReverseUsageCall): Call {
  const { accountId: account, requestId: id } = call;
  const charge = `${call.charge.kind}/${call.charge.id}`;
  return {
    account,
    what: `has ${charge} reversed`,
    ops: ({ lines }) => {
      const charged = lines.filter((line) => `${line.kind}/${line.id}` === charge);
      const rerated = lines.filter((line) => line.kind === 'rerate' && line.id === charge);
      const all = [...charged, ...rerated];
      const changes: LotChange[] = all.flatMap((line) => line.lots);
      return [
        {
          kind: 'reversal',
          account,
          id,
          payload: JSON.stringify(call),
          charge,
          unit: charged[0]?.unit as Unit,
          amount: all.reduce((sum, line) => sum + line.spent, 0n),
          withRerate: rerated.length > 0,
          drawn: changes.map(({ lot, delta }) => ({ lot, amount: -delta })),
        },
      ];
    },
    async send({ corrections }, options) {
      const { unit, reversed, debtPaid, available, duplicate } = await corrections.reverseUsage(
        call,
        options,
      );
      return unless(duplicate, NAMES[unit] as string, reversed, debtPaid, available);
    },
  };
}

/** All that the account used of one model and that nobody could price. */
export function rerate(
  account: string,
  model: string,
  quantitiesOf: (name: string) => UsageEvent['quantities'],
): Call {
  return {
    account,
    what: `has its use of ${model} rated`,
    ops: ({ lines, tariff }) =>
      lines
        .filter((line) => line.flags.includes('unrated'))
        .flatMap((line): Op[] => {
          const id = `${line.kind}/${line.id}`;
          const price = pricesOf(tariff, model, quantitiesOf(id)).find(({ unit }) => unit === line.unit);
          if (price === undefined || price.amount === 'unrated') return [];
          return [{ kind: 'rerate', account, id, unit: price.unit, amount: price.amount }];
        }),
    tell: (results) =>
      results
        .map(told)
        .filter((word) => word.startsWith('done'))
        .join(', '),
    async send({ corrections }, options) {
      const wanted = {
        accountId: account,
        meter: 'llm',
        model,
        fromTimeMs: 0,
        toTimeMs: 0,
        limit: 1_000,
        cursor: '',
      };
      const { charges } = await corrections.rerateUsage(wanted, options);
      return charges
        .map(({ unit, charged, overdrawn }) => done(NAMES[unit] as string, charged, overdrawn))
        .join(', ');
    },
  };
}

export function expireLot(call: ExpireLotCall): Call {
  const { accountId: account, requestId: id, lotId: lot } = call;
  return {
    account,
    what: `has lot ${lot} expired`,
    ops: () => [{ kind: 'expireLot', account, id, payload: JSON.stringify(call), lot }],
    async send({ corrections }, options) {
      const { unit, expired, available, duplicate } = await corrections.expireLot(call, options);
      return unless(duplicate, NAMES[unit] as string, expired, available);
    },
  };
}

export function setStatus(call: SetStatusCall): Call {
  const { accountId: account, requestId: id, change } = call;
  return {
    account,
    what: `${change}s`,
    ops: () => [{ kind: 'setStatus', account, id, payload: JSON.stringify(call), call: change }],
    async send({ corrections }, options) {
      return unless((await corrections.setStatus(call, options)).duplicate);
    },
  };
}
