import type { SidecarClient } from '../cli/client.js';

/** The accounts of the demo. */
export interface Population {
  readonly accountIds: readonly string[];
  /** Those whose balance is too small for what they will use. */
  readonly scarceIds: readonly string[];
  /** Accounts that nobody created: their usage is refused. */
  readonly unknownIds: readonly string[];
  readonly grants: number;
}

export const populationSize = 300;
/** One account in so many gets too little. */
const scarceEvery = 5;
const unknownCount = 3;
const callsAtOnce = 32;

/** 1,000,000 credits. */
const plentyMicros = 1_000_000_000_000;
/** From 0.01 credits, which are gone at once, ... */
const scarceMicros = 10_000;
/** ... in steps to 200 times as much, which lasts for a while. */
const scarceRange = 200;
/** Characters to be spoken, before credits pay for them. */
const allowanceCharacters = 5_000;

export async function createPopulation(client: SidecarClient): Promise<Population> {
  const accountIds = Array.from({ length: populationSize }, (_, i) => `acct-${String(i).padStart(4, '0')}`);
  const isScarce = (index: number): boolean => index % scarceEvery === scarceEvery - 1;
  let grants = 0;
  const grant = async (accountId: string, unit: 'UNIT_CREDITS' | 'UNIT_TTS_CHARACTERS', value: number) => {
    await client.call('AccountService/TopUp', {
      requestId: `grant-${unit.toLowerCase()}`,
      accountId,
      amount: { unit, value: String(value) },
      eventTimeMs: String(Date.now()),
      ackLevel: 'ACK_LEVEL_APPLIED',
    });
    grants++;
  };
  let next = 0;
  const work = async (): Promise<void> => {
    for (let index = next++; index < accountIds.length; index = next++) {
      const accountId = accountIds[index] as string;
      await client.call('AccountService/CreateAccount', {
        requestId: 'create',
        accountId,
        eventTimeMs: String(Date.now()),
        ackLevel: 'ACK_LEVEL_APPLIED',
      });
      const step = index / populationSize;
      await grant(
        accountId,
        'UNIT_CREDITS',
        isScarce(index) ? Math.round(scarceMicros * scarceRange ** step) : plentyMicros,
      );
      if (index % 2 === 0) await grant(accountId, 'UNIT_TTS_CHARACTERS', allowanceCharacters);
    }
  };
  await Promise.all(Array.from({ length: callsAtOnce }, work));
  return {
    accountIds,
    scarceIds: accountIds.filter((_, index) => isScarce(index)),
    unknownIds: Array.from({ length: unknownCount }, (_, i) => `nobody-${i}`),
    grants,
  };
}
