import { ENTRY, type PackedOperation, STATUS } from '../redis/format.js';

/** Turns what a rare operation carries for the ledger alone into the note of its line. */

const STATUS_NAMES = new Map<number, string>(Object.entries(STATUS).map(([name, number]) => [number, name]));

/** JSON, or null for a kind of line that has no note. Positions as in lua/includes/op_*.lua, from 0 here. */
export function noteOf(kind: number, operation: PackedOperation | undefined): string | null {
  if (operation === undefined) return null;
  switch (kind) {
    case ENTRY.reversal:
      return noteJson({ corrects: operation[8], reason_code: operation[10], reason_text: operation[11] });
    case ENTRY.rerate:
      return noteJson({ corrects: operation[2] });
    case ENTRY.expire_lot:
      return noteJson({ reason_code: operation[7], reason_text: operation[8] });
    case ENTRY.account_status:
      return noteJson({
        status: STATUS_NAMES.get(operation[6] as number),
        reason_code: operation[8],
        reason_text: operation[9],
      });
    default:
      return null;
  }
}

/** Without what is empty. */
function noteJson(texts: Readonly<Record<string, string | number | undefined>>): string | null {
  const given = Object.entries(texts).filter(([, text]) => text !== '');
  return given.length === 0 ? null : JSON.stringify(Object.fromEntries(given));
}
