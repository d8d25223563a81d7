import type { Reason, Unit, WalletBalance } from '../usage/types.js';

/** How values of the layers below are spelled in the proto. */

export function reasonName(reason: Reason): `REASON_${Reason}` {
  return `REASON_${reason}`;
}

const UNIT_NAMES = {
  0: 'UNIT_UNSPECIFIED',
  1: 'UNIT_CREDITS',
  2: 'UNIT_TTS_CHARACTERS',
  3: 'UNIT_LLM_MESSAGES',
} as const;

export function unitName(unit: Unit | 0): (typeof UNIT_NAMES)[Unit | 0] {
  return UNIT_NAMES[unit];
}

export function walletBalance(balance: WalletBalance) {
  return {
    unit: unitName(balance.unit),
    available: balance.available,
    held: balance.held,
    debt: balance.debt,
  };
}

/** Upper-case name of an enum's value behind its prefix: ('ENTRY_KIND', 'lot_expired') -> ENTRY_KIND_LOT_EXPIRED */
export function enumName<Prefix extends string, Value extends string>(prefix: Prefix, value: Value) {
  return `${prefix}_${value.toUpperCase()}` as `${Prefix}_${Uppercase<Value>}`;
}
