/** What gateways and batch reporters do. */
import type {
  Estimate,
  ExtendCall,
  ReleaseCall,
  ReserveCall,
  SettleCall,
  UsageEvent,
} from '../../src/usage/types.js';
import type { Price, Unit } from '../oracle/model.js';
import { type Call, NAMES, unless } from './calls.js';
import { pricesOf, type Tariff } from './tariffs.js';

export function record(account: string, events: readonly UsageEvent[]): Call {
  return {
    account,
    what: `records ${events.map(({ eventId, model }) => `${eventId} ${model}`).join(', ')}`,
    ops: ({ tariff }) =>
      events.map((event) => ({
        kind: 'usage',
        account,
        id: event.eventId,
        payload: JSON.stringify(event),
        prices: pricesOf(tariff, event.model, event.quantities),
        agent: event.agentId,
      })),
    async send({ meter }, options) {
      const { results } = await meter.record(events, options);
      const words = results.map((result) => {
        if (result.outcome === 'refused') return result.reason === 'ID_CONFLICT' ? 'conflict' : result.reason;
        const { unit, charged, overdrawn, available, converted } = result;
        const values = [NAMES[unit] as string, charged, overdrawn, available, converted];
        return unless(result.outcome === 'duplicate', ...values);
      });
      return words.join(', ');
    },
  };
}

function estimatePrices(tariff: Tariff, model: string, estimate: Estimate): Price[] {
  if (estimate.kind === 'quantities') return pricesOf(tariff, model, estimate.quantities);
  return [{ unit: NAMES[estimate.unit] as Unit, amount: BigInt(estimate.value) }];
}

export function reserve(call: ReserveCall): Call {
  const { accountId: account, agentId: agent, holdId: hold, model, estimate, holdTimeMs } = call;
  return {
    account,
    what: `reserves ${hold} ${model}`,
    ops: ({ tariff }) => [
      {
        kind: 'reserve',
        account,
        hold,
        payload: JSON.stringify(call),
        prices: estimatePrices(tariff, model, estimate),
        holdTimeMs,
        catalogVersion: tariff.version,
        agent,
      },
    ],
    async send({ meter }, options) {
      const held = await meter.reserve(call, options);
      if (held.verdict === 'denied') return held.reason;
      return unless(held.duplicate, NAMES[held.unit] as string, held.held, held.available, held.deadlineMs);
    },
  };
}

export function extend(call: ExtendCall): Call {
  const { accountId: account, holdId: hold, extendId: id, holdTimeMs } = call;
  const addAmount = BigInt(call.addAmount);
  return {
    account,
    what: `extends ${hold} by ${addAmount}`,
    ops: () => [{ kind: 'extend', account, id, hold, payload: JSON.stringify(call), addAmount, holdTimeMs }],
    async send({ meter }, options) {
      const held = await meter.extend(call, options);
      if (held.verdict === 'denied') return held.reason;
      return unless(held.duplicate, NAMES[held.unit] as string, held.held, held.available, held.deadlineMs);
    },
  };
}

export function settle(call: SettleCall): Call {
  const { accountId: account, agentId: agent, holdId: hold, model, final } = call;
  return {
    account,
    what: `settles ${hold} ${model}`,
    ops: ({ tariff }) => [
      {
        kind: 'settle',
        account,
        hold,
        payload: JSON.stringify(call),
        prices: estimatePrices(tariff, model, final),
        pricedWith: final.kind === 'quantities' ? tariff.version : 0,
        agent,
      },
    ],
    async send({ meter }, options) {
      const { unit, charged, overdrawn, released, available, converted, duplicate } = await meter.settle(
        call,
        options,
      );
      return unless(duplicate, NAMES[unit] as string, charged, overdrawn, released, available, converted);
    },
  };
}

export function release(call: ReleaseCall): Call {
  const { accountId: account, holdId: hold } = call;
  return {
    account,
    what: `releases ${hold}`,
    ops: () => [{ kind: 'release', account, hold }],
    async send({ meter }, options) {
      const { unit, released, available, duplicate } = await meter.release(call, options);
      return unless(duplicate, NAMES[unit] as string, released, available);
    },
  };
}
