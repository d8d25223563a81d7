/**
 * What one account does next: drawn from the seed and from what the oracle knows of it, so that most of it makes sense and some of
 * it does not. Times are whole hours where they can be, so that "exactly then" happens often.
 */
import { UNITS } from '../../src/usage/types.js';
import type { LotSource, OpenHold, Plan, Unit } from '../oracle/model.js';
import { convert, create, topUp } from './account-calls.js';
import { aboutAgents, agentOfWork } from './agent-choices.js';
import type { Call, Scene } from './calls.js';
import { expireLot, rerate, reverse, setStatus } from './correction-calls.js';
import { cancelChange, changePlan, startPeriod } from './plan-calls.js';
import type { Random } from './random.js';
import { MODELS, type Quantities, type Tariff } from './tariffs.js';
import { extend, record, release, reserve, settle } from './usage-calls.js';

export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;
const CREDIT = 1_000_000;
/** Calls that may be repeated: young enough for their event time. */
const REMEMBERED_MAX = 12;
const REPEATED_WITHIN_MS = 20 * DAY_MS;

const ALLOWANCES = ['tts_characters', 'llm_messages'] as const;
const IMPORTED: readonly ('free' | 'plan' | 'top_up' | 'conversion')[] = [
  'free',
  'plan',
  'top_up',
  'conversion',
];

interface Memory {
  readonly call: Call;
  readonly atMs: number;
}

type Choice = readonly [weight: number, make: () => Call | undefined];

export class Customer {
  readonly #recent: Memory[] = [];
  /** What was used of models that nobody could price then, by the name of the charge. */
  readonly #quantities = new Map<string, Quantities>();
  #ids = 0;

  constructor(
    readonly account: string,
    private readonly random: Random,
    /** Some pay for plans, some live on what they were given. */
    private readonly pays: boolean,
  ) {}

  /** How many things it does now. */
  eagerness(): number {
    return this.random.pick([1, 1, 2, 3]);
  }

  /** The call that makes the account. */
  birth(nowMs: number, { plans }: Tariff): Call {
    const { random } = this;
    const plan = this.pays
      ? random.pick(plans.filter(({ kind }) => kind !== 'free')).name
      : random.pick(['', 'free']);
    const isImported = random.chance(0.3);
    const periodEndTimeMs =
      plan !== '' && this.pays && random.chance(0.7) ? nowMs + random.between(1, 30) * DAY_MS : 0;
    const call = create({
      ...this.#own('c', nowMs),
      plan,
      imported: isImported
        ? {
            lots: this.#openingLots(nowMs, periodEndTimeMs),
            periodStartTimeMs: periodEndTimeMs === 0 ? 0 : nowMs - DAY_MS,
            periodEndTimeMs,
          }
        : null,
    });
    this.#remember(call, nowMs);
    return call;
  }

  /** What it does now; undefined where what came to mind cannot be done. */
  next(nowMs: number, scene: Scene): Call | undefined {
    const { random } = this;
    const choices: readonly Choice[] = [
      [30, () => this.#usage(nowMs, scene)],
      [11, () => this.#reserve(nowMs, scene)],
      [4, () => this.#extend(nowMs, scene)],
      [11, () => this.#settle(nowMs, scene)],
      [4, () => this.#release(nowMs, scene)],
      [4, () => this.#topUp(nowMs)],
      [4, () => this.#convert(nowMs)],
      [this.pays ? 7 : 1, () => this.#startPeriod(nowMs, scene)],
      [this.pays ? 4 : 1, () => this.#changePlan(nowMs, scene)],
      [1, () => cancelChange(this.#own('b', nowMs))],
      [5, () => aboutAgents(random, this.#own('a', nowMs), scene)],
      [2, () => this.#reverse(nowMs, scene)],
      [0.6, () => rerate(this.account, 'tomorrow', (name) => this.#quantities.get(name) ?? [])],
      [0.6, () => this.#expireLot(nowMs, scene)],
      [scene.state.status === 'active' ? 0.6 : 12, () => this.#status(nowMs, scene)],
      [4, () => this.#again(nowMs)],
    ];
    const call = random.weighted(choices)();
    if (call !== undefined) this.#remember(call, nowMs);
    return call;
  }

  #id(letter: string): string {
    this.#ids += 1;
    return `${letter}${this.#ids}`;
  }

  #own(letter: string, eventTimeMs: number) {
    return { accountId: this.account, requestId: this.#id(letter), eventTimeMs };
  }

  #remember(call: Call, atMs: number): void {
    // An Extend is no line of the ledger: one that comes late cannot be told from a new one, and is refused.
    if (call.what.startsWith('extends') || this.#recent.some((known) => known.call === call)) return;
    this.#recent.push({ call, atMs });
    if (this.#recent.length > REMEMBERED_MAX) this.#recent.shift();
  }

  #again(nowMs: number): Call | undefined {
    const known = this.#recent.filter(({ atMs }) => nowMs - atMs < REPEATED_WITHIN_MS);
    return known.length === 0 ? undefined : this.random.pick(known).call;
  }

  // --- usage ----------------------------------------------------------------------------------------------------------

  #quantitiesOf(model: string): Quantities {
    const { random } = this;
    if (model === 'voice') return [['characters', random.between(1, random.chance(0.2) ? 30_000 : 4_000)]];
    const most = { plain: 20_000_000, chat: random.chance(0.1) ? 400_000_000 : 200_000, tomorrow: 5_000_000 }[
      model
    ];
    const counts: [string, number][] = [['input_tokens', random.between(1, most as number)]];
    if (random.chance(0.7)) counts.push(['output_tokens', random.between(1, (most as number) / 10)]);
    return counts;
  }

  #usage(nowMs: number, scene: Scene): Call {
    const { random } = this;
    // What is reported late comes alone: ids that are looked up in the ledger first are booked after the others.
    const late = random.chance(0.15);
    const count = late ? 1 : random.pick([1, 1, 1, 1, 2, 4]);
    const eventTimeMs = nowMs - (late ? random.between(1, 14 * DAY_MS) : 0);
    const events = Array.from({ length: count }, () => {
      const [meter, model] = random.pick(MODELS);
      const quantities = this.#quantitiesOf(model);
      const eventId = this.#id('u');
      if (model === 'tomorrow') this.#quantities.set(`usage/${eventId}`, quantities);
      const agentId = agentOfWork(random, scene);
      return { eventId, accountId: this.account, agentId, meter, model, quantities, eventTimeMs };
    });
    return record(this.account, events);
  }

  #reserve(nowMs: number, scene: Scene): Call {
    const { random } = this;
    const { state } = scene;
    const [meter, model] = random.pick(MODELS);
    const unit = random.pick<Unit>(
      meter === 'tts' ? ['tts_characters', 'credits'] : ['llm_messages', 'credits'],
    );
    const value = random.between(1, unit === 'credits' ? 80 * CREDIT : 3_000);
    // The model is in the name: a settle has to name it again.
    const holdId =
      random.chance(0.05) && state.holds.size > 0
        ? random.pick([...state.holds.keys()])
        : this.#id(`${model}/h`);
    return reserve({
      accountId: this.account,
      agentId: agentOfWork(random, scene),
      holdId,
      meter,
      model,
      estimate: random.chance(0.6)
        ? { kind: 'quantities', quantities: this.#quantitiesOf(model) }
        : { kind: 'amount', unit: UNITS[unit], value },
      startTimeMs: nowMs,
      holdTimeMs: random.between(1, random.chance(0.7) ? 48 : 20 * 24) * HOUR_MS,
    });
  }

  /** One that is open; now and then one that has ended, or never was. */
  #hold({ state }: Scene): readonly [id: string, hold: OpenHold | undefined] | undefined {
    const { random } = this;
    const open = [...state.holds];
    if (open.length > 0 && random.chance(0.9)) return random.pick(open);
    if (random.chance(0.7)) return undefined;
    const ended = [...state.ids.keys()].filter((key) => key.startsWith('hold ')).slice(-5);
    if (ended.length > 0 && random.chance(0.8)) return [random.pick(ended).slice('hold '.length), undefined];
    return [this.#id(`${random.pick(MODELS)[1]}/x`), undefined];
  }

  #extend(nowMs: number, scene: Scene): Call | undefined {
    const { random } = this;
    const found = this.#hold(scene);
    if (found === undefined) return undefined;
    const [holdId, hold] = found;
    const most = hold === undefined || hold.unit === 'credits' ? 50 * CREDIT : 1_000;
    return extend({
      accountId: this.account,
      holdId,
      extendId: this.#id('e'),
      addAmount: random.chance(0.3) ? 0 : random.between(1, most),
      holdTimeMs: random.between(1, 72) * HOUR_MS,
      eventTimeMs: nowMs,
    });
  }

  #settle(nowMs: number, scene: Scene): Call | undefined {
    const { random } = this;
    const found = this.#hold(scene);
    if (found === undefined) return undefined;
    const [holdId, hold] = found;
    const model = holdId.slice(0, holdId.indexOf('/'));
    const meter = model === 'voice' ? 'tts' : 'llm';
    const byAmount = hold !== undefined && random.chance(0.4);
    // A model that nobody can price yet is used once only: what was booked is what will be rated.
    const quantities = this.#quantities.get(`settle/${holdId}`) ?? this.#quantitiesOf(model);
    if (model === 'tomorrow') this.#quantities.set(`settle/${holdId}`, quantities);
    return settle({
      accountId: this.account,
      agentId: hold?.agent ?? agentOfWork(random, scene),
      holdId,
      meter,
      model,
      final: byAmount
        ? {
            kind: 'amount',
            unit: UNITS[hold.unit],
            value: Math.floor(Number(hold.amount) * random.pick([0, 0.5, 0.9, 1, 1.5])),
          }
        : { kind: 'quantities', quantities },
      eventTimeMs: nowMs,
    });
  }

  #release(nowMs: number, scene: Scene): Call | undefined {
    const [holdId] = this.#hold(scene) ?? [];
    if (holdId === undefined) return undefined;
    return release({ accountId: this.account, holdId, eventTimeMs: nowMs });
  }

  // --- credits --------------------------------------------------------------------------------------------------------

  #amountOf(unit: Unit): number {
    const { random } = this;
    if (unit === 'credits') return random.between(1, 200 * CREDIT);
    return unit === 'tts_characters' ? random.between(1, 20_000) : random.between(1, 500);
  }

  #openingLots(nowMs: number, periodEndMs: number) {
    const { random } = this;
    return Array.from({ length: random.between(0, 4) }, () => {
      const source: Exclude<LotSource, 'agent_cycle' | 'correction'> = random.pick(IMPORTED);
      const unit: Unit = source === 'conversion' ? random.pick(ALLOWANCES) : 'credits';
      const expiresAtMs =
        source === 'plan' && periodEndMs > 0
          ? periodEndMs
          : random.chance(0.5)
            ? 0
            : nowMs + random.between(1, 90) * DAY_MS;
      return { unit: UNITS[unit], amount: this.#amountOf(unit), source, expiresAtMs };
    });
  }

  #topUp(nowMs: number): Call {
    const { random } = this;
    const unit: Unit = random.weighted([
      [3, 'credits'],
      [1, 'tts_characters'],
      [1, 'llm_messages'],
    ]);
    const expiresAtMs = random.chance(0.5) ? 0 : this.#hour(nowMs) + random.between(0, 40 * 4) * 6 * HOUR_MS;
    const call = {
      ...this.#own('g', nowMs),
      unit: UNITS[unit],
      amount: this.#amountOf(unit),
      expiresAtMs,
    };
    return topUp(call);
  }

  #convert(nowMs: number): Call {
    const { random } = this;
    const unit = random.pick(ALLOWANCES);
    const wish = random.chance(0.5)
      ? { kind: 'credits' as const, value: random.between(CREDIT, 60 * CREDIT) }
      : { kind: 'units' as const, value: this.#amountOf(unit) };
    return convert({ ...this.#own('k', nowMs), unit: UNITS[unit], wish });
  }

  // --- plans ----------------------------------------------------------------------------------------------------------

  #hour(nowMs: number): number {
    return Math.floor(nowMs / HOUR_MS) * HOUR_MS;
  }

  #month(fromMs: number): number {
    return fromMs + this.random.between(28, 31) * DAY_MS;
  }

  #startPeriod(nowMs: number, { state, tariff }: Scene): Call {
    const { random } = this;
    const { period, next, plan: present } = state.subscription ?? {};
    const paid = tariff.plans.filter(({ kind }) => kind !== 'free');
    const plan = (random.chance(0.8) && paid.find(({ name }) => name === present?.name)) || random.pick(paid);
    const last = next ?? period;
    // After the one before, late, early, with a gap or an overlap; the same one again; or one that nothing leads to.
    const startTimeMs = random.weighted<number>([
      [8, last === undefined ? this.#hour(nowMs) : last.endMs],
      [2, this.#hour(nowMs) + random.between(-10, 10) * DAY_MS],
      [1, last?.startMs ?? this.#hour(nowMs)],
      [1, (last?.endMs ?? nowMs) + random.between(-3, 3) * DAY_MS],
    ]);
    const endTimeMs = startTimeMs === last?.startMs ? last.endMs : this.#month(startTimeMs);
    return startPeriod({ ...this.#own('b', nowMs), plan: plan.name, startTimeMs, endTimeMs });
  }

  #changePlan(nowMs: number, { tariff }: Scene): Call {
    const { random } = this;
    const plan: Plan = random.pick(tariff.plans);
    const endMs = random.chance(0.1) ? this.#hour(nowMs) - DAY_MS : this.#month(this.#hour(nowMs));
    const periodEndTimeMs = plan.kind === 'free' || random.chance(0.05) ? 0 : endMs;
    return changePlan({ ...this.#own('b', nowMs), plan: plan.name, periodEndTimeMs });
  }

  // --- corrections ----------------------------------------------------------------------------------------------------

  #reverse(nowMs: number, { lines }: Scene): Call | undefined {
    const charges = lines
      .slice(-60)
      .flatMap(({ kind, id }) =>
        (kind === 'usage' || kind === 'settle') && id !== undefined ? [{ kind, id }] : [],
      );
    if (charges.length === 0) return undefined;
    const reason = { reasonCode: 'mistake', reasonText: '' };
    return reverse({ ...this.#own('v', nowMs), ...reason, charge: this.random.pick(charges) });
  }

  #expireLot(nowMs: number, { state }: Scene): Call {
    const reason = { reasonCode: 'mistake', reasonText: '' };
    const lotId = this.random.between(Math.max(1, state.lastLot - 6), state.lastLot + 1);
    return expireLot({ ...this.#own('l', nowMs), ...reason, lotId });
  }

  #status(nowMs: number, { state }: Scene): Call {
    const { random } = this;
    const back = { active: 'freeze', frozen: 'unfreeze', closed: 'reopen' } as const;
    const change = random.chance(0.7)
      ? back[state.status]
      : random.pick(['freeze', 'unfreeze', 'close', 'reopen'] as const);
    return setStatus({ ...this.#own('s', nowMs), change, reasonCode: 'risk', reasonText: '' });
  }
}
