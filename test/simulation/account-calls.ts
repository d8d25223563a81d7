/** Accounts, and what they are given. */
import type { ConvertCreditsCall } from '../../src/credits/conversions.js';
import type { CreateAccountCall, TopUpCall } from '../../src/credits/types.js';
import type { Unit } from '../oracle/model.js';
import { type Call, NAMES, offeredPlan, told, unless } from './calls.js';
import { conversionOf, PRIORITIES, type Tariff } from './tariffs.js';

export function create(call: CreateAccountCall): Call {
  const { accountId: account, requestId: id, plan, imported } = call;
  return {
    account,
    what: `is created${plan === '' ? '' : ` on ${plan}`}${imported === null ? '' : ' by an import'}`,
    // A repetition is answered by the ledger, which does nothing that is due.
    ops: ({ state, tariff }) => {
      if (state.exists) return [];
      return [
        {
          kind: 'create',
          account,
          id,
          payload: JSON.stringify(call),
          ...(plan !== '' && { plan: offeredPlan(tariff, plan) }),
          ...(imported !== null && { imported: importOf(tariff, imported) }),
        },
      ];
    },
    tell: ([made]) => (made === undefined ? 'duplicate' : told(made)),
    async send({ accounts }, options) {
      return unless((await accounts.create(call, options)).duplicate);
    },
  };
}

function importOf(
  { conversionPriority }: Tariff,
  { lots, periodStartTimeMs, periodEndTimeMs }: NonNullable<CreateAccountCall['imported']>,
) {
  const priorities = { ...PRIORITIES, conversion: conversionPriority, agent_cycle: 0 };
  return {
    lots: lots.map(({ unit, amount, source, expiresAtMs }) => ({
      unit: NAMES[unit] as Unit,
      source,
      priority: priorities[source],
      expiresAtMs: expiresAtMs === 0 ? undefined : expiresAtMs,
      remaining: BigInt(amount),
    })),
    period: periodEndTimeMs === 0 ? undefined : { startMs: periodStartTimeMs, endMs: periodEndTimeMs },
  };
}

export function topUp(call: TopUpCall): Call {
  const { accountId: account, requestId: id, amount, expiresAtMs } = call;
  const unit = NAMES[call.unit] as Unit;
  return {
    account,
    what: `gets ${amount} ${unit}`,
    ops: () => [
      {
        kind: 'grant',
        account,
        id,
        payload: JSON.stringify(call),
        unit,
        amount: BigInt(amount),
        expiresAtMs: expiresAtMs === 0 ? undefined : expiresAtMs,
      },
    ],
    async send({ accounts }, options) {
      const { lotId, granted, debtPaid, available, duplicate } = await accounts.topUp(call, options);
      return unless(duplicate, lotId, granted, debtPaid, available);
    },
  };
}

export function convert(call: ConvertCreditsCall): Call {
  const { accountId: account, requestId: id, wish } = call;
  const unit = NAMES[call.unit] as 'tts_characters' | 'llm_messages';
  return {
    account,
    what: `converts ${wish.value} ${wish.kind} into ${unit}`,
    ops: ({ tariff }) => [
      {
        kind: 'convert',
        account,
        id,
        payload: JSON.stringify(call),
        unit,
        ...conversionOf(tariff.rates[unit], wish),
        priority: tariff.conversionPriority,
        catalogVersion: tariff.version,
      },
    ],
    async send({ conversions }, options) {
      const converted = await conversions.convert(call, options);
      if (converted.verdict === 'denied') return converted.reason;
      const { convertedMicros, granted, debtPaid, lotId, available, duplicate } = converted;
      return unless(duplicate, convertedMicros, granted, debtPaid, lotId, available);
    },
  };
}
