import { AGENT_EVENT, ENTRY, type PackedOperation, PLAN_EVENT, STATUS } from '../redis/format.js';
import type { AgentEntry, JournalEntry, PlanEntry } from '../redis/journal.js';

/** Turns what a rare operation or entry carries for the ledger alone into the note of its line. */

const STATUS_NAMES = new Map<number, string>(Object.entries(STATUS).map(([name, number]) => [number, name]));

const PLAN_EVENTS = new Map<number, string>(
  Object.entries(PLAN_EVENT).map(([name, number]) => [number, name]),
);

const AGENT_EVENTS = new Map<number, string>(
  Object.entries(AGENT_EVENT).map(([name, number]) => [number, name]),
);

/** JSON, or null for a line that has no note. Positions as in lua/includes/op_*.lua, from 0 here. */
export function noteOf(entry: JournalEntry, operation: PackedOperation | number | undefined): string | null {
  if (entry.plan !== null) return entry.kind === ENTRY.opening_lot ? null : planNote(entry.plan);
  if (entry.agent !== null) return agentNote(entry.agent);
  const { before } = entry;
  if (before !== null)
    return noteJson({
      charged_before: before.charged,
      overdrawn_before: before.overdrawn || '',
      converted_before: before.converted || '',
    });
  // Nothing that is said in short has a note.
  if (operation === undefined || typeof operation === 'number') return null;
  switch (entry.kind) {
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

function planNote({ name, event, fromMs, toMs }: PlanEntry): string | null {
  return noteJson({
    plan: name,
    plan_event: PLAN_EVENTS.get(event),
    from_ms: fromMs === 0 ? '' : fromMs,
    to_ms: toMs === 0 ? '' : toMs,
  });
}

function agentNote({ event, tier, fromMs, toMs }: AgentEntry): string | null {
  return noteJson({ agent_event: AGENT_EVENTS.get(event), tier, from_ms: fromMs, to_ms: toMs });
}

/** Without what is empty. */
function noteJson(texts: Readonly<Record<string, string | number | undefined>>): string | null {
  const given = Object.entries(texts).filter(([, text]) => text !== '' && text !== undefined);
  return given.length === 0 ? null : JSON.stringify(Object.fromEntries(given));
}
