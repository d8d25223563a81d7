/**
 * Accounts that live for months on the whole stack, beside the oracle: every answer is compared when it comes, every wallet at the
 * end of every day, every line and every statement at the end. All of it follows from the seed.
 */

import type { SimulatedClock } from '../../src/demo/simulated-clock.js';
import { verifyInstallation } from '../../src/verify/index.js';
import { applyTo, emptyAccount } from '../oracle/account.js';
import type { AccountState, Entry, Op, Result } from '../oracle/model.js';
import { type Call, heard, type Scene, told } from './calls.js';
import { lineOf, ofOracle, readLines, readPostgres, readRedis } from './comparison.js';
import { Customer, DAY_MS, HOUR_MS } from './customer.js';
import { Random } from './random.js';
import type { Stack } from './stack.js';
import { compareStatements } from './statements.js';
import { catalogText, TARIFFS } from './tariffs.js';

export interface SimulationOptions {
  readonly seed: number;
  readonly accounts: number;
  readonly days: number;
}

/** The product said or holds something else than the oracle. */
export class Difference extends Error {}

/** How much happened, for people. */
export interface Tally {
  days: number;
  calls: number;
  lines: number;
  sweeps: number;
  readonly said: Map<string, number>;
  /** Lines about agents, by what happened to them. */
  readonly ofAgents: Map<string, number>;
}

interface Life {
  readonly customer: Customer;
  readonly bornOnDay: number;
  readonly state: AccountState;
  readonly lines: Entry[];
}

/** A leap year's January: months of 31, 29, 31, 30 days. */
export const START_MS = Date.UTC(2024, 0, 15);
/** At a moment so many of the living do something. */
const ACTIVE_SHARE = 0.18;
/** Of so many accounts one has its statements read month by month. */
const MONTHLY_EVERY = 4;
/** Days with two moments. */
const SECOND_MOMENT_SHARE = 0.2;

function count(counts: Map<string, number>, what: string): void {
  counts.set(what, (counts.get(what) ?? 0) + 1);
}

export class Simulation {
  readonly tally: Tally = { days: 0, calls: 0, lines: 0, sweeps: 0, said: new Map(), ofAgents: new Map() };
  readonly #lives = new Map<string, Life>();
  readonly #random: Random;
  #tariff = TARIFFS[0] as (typeof TARIFFS)[number];

  constructor(
    private readonly stack: Stack,
    private readonly clock: SimulatedClock,
    private readonly options: SimulationOptions,
    /** How a sweep is done, where that is what is looked at. */
    private readonly sweeper: () => Promise<void> = () => stack.core.sweeper.sweep(),
  ) {
    this.#random = new Random(options.seed);
    for (let number = 1; number <= options.accounts; number++) {
      const account = `account-${number}`;
      // Half of them are there from the first day; the others come until half of the time has passed.
      const bornOnDay = number % 2 === 0 ? 0 : this.#random.between(0, Math.floor(options.days / 2));
      const chance = new Random(this.#random.between(0, 2 ** 32 - 1));
      const customer = new Customer(account, chance, this.#random.chance(0.7));
      this.#lives.set(account, { customer, bornOnDay, state: emptyAccount(), lines: [] });
    }
  }

  /** One day: moments at which accounts act, sweeps between them, and a look at every wallet when it is over. */
  async day(): Promise<void> {
    const number = this.tally.days;
    const begin = START_MS + number * DAY_MS;
    await this.#publishWhenDue(number);
    const hours = Array.from(
      { length: this.#random.chance(SECOND_MOMENT_SHARE) ? 2 : 1 },
      () => this.#random.between(0, 3) * 6,
    );
    for (const hour of hours.sort((a, b) => a - b)) {
      await this.clock.set(Math.max(this.clock.nowMs, begin + hour * HOUR_MS));
      if (this.#random.chance(0.2)) await this.sweep();
      await this.#moment(number);
    }
    await this.clock.set(begin + DAY_MS);
    if (this.#random.chance(0.85)) await this.sweep();
    await this.compare();
    await this.stack.core.openings.look();
    this.tally.days += 1;
  }

  /** Days on which nobody acts. `sweeps`: is anybody there to sweep? */
  async quietDays(days: number, sweeps: boolean): Promise<void> {
    for (let day = 0; day < days; day++) {
      await this.clock.set(this.clock.nowMs + DAY_MS);
      if (sweeps) await this.sweep();
      this.tally.days += 1;
    }
    await this.compare();
  }

  async #publishWhenDue(day: number): Promise<void> {
    const next = TARIFFS[this.#tariff.version];
    if (next === undefined || day < Math.floor((this.options.days * this.#tariff.version) / TARIFFS.length))
      return;
    const version = await this.stack.publish(catalogText(next));
    if (version !== next.version) throw new Error(`version ${version} was published, not ${next.version}`);
    this.#tariff = next;
  }

  /** Accounts act beside each other, each one call after the other, from a chance of its own: so it does not matter who is quicker. */
  async #moment(day: number): Promise<void> {
    const acting = [...this.#lives.values()].filter(
      ({ state, bornOnDay }) => day >= bornOnDay && (!state.exists || this.#random.chance(ACTIVE_SHARE)),
    );
    await Promise.all(acting.map((life) => this.#act(life)));
  }

  async #act(life: Life): Promise<void> {
    const { customer, state } = life;
    const { nowMs } = this.clock;
    if (!state.exists) await this.#make(customer.birth(nowMs, this.#tariff));
    for (let left = customer.eagerness(); left > 0; left--) {
      const call = customer.next(nowMs, this.#scene(life));
      if (call !== undefined) await this.#make(call);
    }
  }

  #scene({ state, lines }: Life): Scene {
    return { state, lines, tariff: this.#tariff };
  }

  #life(account: string): Life {
    const life = this.#lives.get(account);
    if (life === undefined) throw new Error(`nobody is ${account}`);
    return life;
  }

  /** The oracle first: it needs no time. */
  async #make(call: Call): Promise<void> {
    const life = this.#life(call.account);
    const ops = call.ops(this.#scene(life));
    const results = ops.map((op, i) => this.#apply(op, call, i));
    const expected = call.tell?.(results) ?? results.map(told).join(', ');
    const { nowMs } = this.clock;
    const said = await heard(call.send(this.stack.core, this.stack.options));
    if (said !== expected) {
      const when = new Date(nowMs).toISOString();
      throw new Difference(
        `${when} ${call.account} ${call.what}: the oracle says "${expected}", the product "${said}"`,
      );
    }
    this.tally.calls += 1;
    const word = `${call.what.split(' ')[0]}: ${said.split(' ')[0]}`;
    count(this.tally.said, word);
  }

  #apply(op: Op, call?: Call, index = 0): Result {
    const life = this.#life(op.account);
    const { result, entries } = applyTo(life.state, op, this.clock.nowMs);
    life.lines.push(...entries);
    this.tally.lines += entries.length;
    for (const { agent } of entries) if (agent) count(this.tally.ofAgents, agent.event);
    if (result.verdict !== 'reprice' || call === undefined) return result;
    // Its hold began with another version of the catalog.
    const tariff = TARIFFS[result.catalogVersion - 1] as (typeof TARIFFS)[number];
    return this.#apply(call.ops({ ...this.#scene(life), tariff })[index] as Op);
  }

  async sweep(): Promise<void> {
    const { nowMs } = this.clock;
    for (const [account, { state }] of this.#lives) {
      this.#apply({ kind: 'touch', account });
      const due = [...state.holds].filter(([, { deadlineMs }]) => deadlineMs <= nowMs);
      due.sort(([a, first], [b, second]) => first.deadlineMs - second.deadlineMs || (a < b ? -1 : 1));
      for (const [hold] of due) this.#apply({ kind: 'expireHold', account, hold });
    }
    await this.sweeper();
    this.tally.sweeps += 1;
  }

  /** Every wallet of every account, in Postgres and, where it is hot, in Redis. */
  async compare(): Promise<void> {
    await this.stack.durable();
    const stored = await readPostgres(this.stack.pool);
    const hot = await readRedis(this.stack.connection, this.stack.core.partitions);
    for (const [account, { state }] of this.#lives) {
      if (!state.exists) continue;
      const expected = ofOracle(state);
      this.#same(account, 'Postgres', expected, stored.get(account));
      if (hot.has(account)) this.#same(account, 'Redis', expected.account, hot.get(account));
      stored.delete(account);
      hot.delete(account);
    }
    if (stored.size + hot.size > 0)
      throw new Difference(`there are accounts that nobody made: ${[...stored.keys(), ...hot.keys()]}`);
  }

  #same(account: string, where: string, expected: unknown, found: unknown): void {
    const [right, wrong] = [JSON.stringify(expected), JSON.stringify(found)];
    if (right === wrong) return;
    const when = new Date(this.clock.nowMs).toISOString();
    throw new Difference(
      `${when} ${account} in ${where}:\n  the oracle says ${right}\n  there is        ${wrong}`,
    );
  }

  /** Every line, every statement, and the product's own audit. */
  async finish(): Promise<void> {
    await this.sweep();
    await this.compare();
    for (const [i, [account, { state, lines }]] of [...this.#lives].entries()) {
      if (!state.exists) continue;
      const found = await readLines(this.stack.pool, account);
      lines.forEach((line, i) => {
        this.#same(account, `line ${i + 1}`, lineOf(line), found[i]);
      });
      this.#same(account, 'the number of lines', lines.length, found.length);
      await compareStatements(
        this.stack,
        account,
        { state, lines },
        i % MONTHLY_EVERY === 0 ? this.#months() : [],
        (what, expected, found) => {
          this.#same(account, what, expected, found);
        },
      );
    }
    const { problems } = await verifyInstallation({
      pool: this.stack.pool,
      connection: this.stack.connection,
      redisKeyPrefix: this.stack.config.redisKeyPrefix,
    });
    if (problems.length > 0) throw new Difference(`verify: ${JSON.stringify(problems.slice(0, 5))}`);
  }

  /** When every month of the simulation begins, the first one before it. */
  #months(): number[] {
    const begin = new Date(START_MS);
    const months: number[] = [];
    for (let month = begin.getUTCMonth(); ; month++) {
      const atMs = Date.UTC(begin.getUTCFullYear(), month);
      if (atMs > this.clock.nowMs) return months;
      months.push(atMs);
    }
  }
}
