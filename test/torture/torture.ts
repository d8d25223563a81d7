/** A run: clusters one after the other, some rounds on each, checked after every one. */
import { appendFileSync, chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SeededRandom, until } from '../helpers/until.js';
import {
  check,
  comeToRest,
  type Memory,
  measureMemory,
  REDIS_BYTES_MAX,
  SIDECAR_BYTES_MAX,
} from './checkers.js';
import { ClientHandle } from './client-handle.js';
import { readLog } from './client-log.js';
import { CLIENTS, Cluster } from './cluster.js';
import type { RoundLogs } from './expectations.js';
import type { Fault } from './faults/index.js';
import type { Finding, Report } from './findings.js';
import { type Accounts, GRANTED } from './operations.js';
import { countFinding, type Figures, newFigures } from './report.js';
import { Deck, playFaults } from './schedule.js';
import type { SidecarProcess } from './sidecar.js';
import type { Fsync } from './stores.js';

export interface TortureOptions {
  readonly seed: number;
  readonly minutes: number;
  readonly faults: readonly Fault[];
  readonly say: (line: string) => void;
}

export interface Outcome {
  readonly figures: Figures;
  readonly findings: readonly Finding[];
  /** Logs of clients and sidecars, and what is left of the stores; null: nothing was found, and it is gone. */
  readonly directory: string | null;
}

/** Faults of a round: some 20 s of them, and less of checking. */
const ROUND_FAULTS = 18;
/** What earlier rounds wrote is checked again after every round; then a new cluster begins. */
const CLUSTER_ROUNDS = 6;
/** From the moment when everything is healed until every sidecar is ready. */
const RECOVERY_MAX_MS = 30_000;
/** From then until every client has the last word on everything; a call is repeated for a minute. */
const FINISH_MAX_MS = 90_000;
const SAY_EVERY_MS = 5_000;
const MEASURE_EVERY_MS = 1_000;
const FSYNCS: readonly Fsync[] = ['always', 'everysec'];

const ACCOUNTS = { rich: 6, poor: 2, speech: 2, session: 3 } as const;

export async function torture(options: TortureOptions): Promise<Outcome> {
  const run = new Run(options);
  return run.play();
}

class Run {
  readonly #figures: Figures;
  readonly #findings: Finding[] = [];
  readonly #directory = mkdtempSync(join(tmpdir(), 'drawdown-torture-'));
  readonly #random: SeededRandom;
  readonly #startedMs = performance.now();
  readonly #memory: Memory = { sidecar: 0, redis: 0 };
  #deck: Deck | null = null;
  #checkedBefore = { events: 0, calls: 0, lines: 0, givenBack: 0 };
  /** What the last round took. */
  #roundSeconds = 0;
  #doing = '';

  constructor(private readonly options: TortureOptions) {
    // As root, Postgres runs as another user, who must be able to pass.
    chmodSync(this.#directory, 0o711);
    process.on('exit', this.#onLeave);
    this.#figures = newFigures(options.seed);
    this.#random = new SeededRandom(options.seed);
  }

  async play(): Promise<Outcome> {
    const { say, faults } = this.options;
    const progress = setInterval(() => say(this.#progress()), SAY_EVERY_MS);
    try {
      for (let number = 1; this.#goesOn; number++) await this.#cluster(number);
    } catch (error) {
      this.#report('broken', error instanceof Error ? error.message : String(error));
    } finally {
      clearInterval(progress);
    }
    for (const { kind } of this.#findings.length === 0 ? faults : []) {
      if (kind in this.#figures.skipped || (this.#deck?.fired.get(kind) ?? 0) > 0) continue;
      this.#report('broken', `${kind} was never fired`);
    }
    process.off('exit', this.#onLeave);
    const isClean = this.#findings.length === 0;
    if (isClean) rmSync(this.#directory, { recursive: true, force: true });
    this.#figures.seconds = this.#seconds;
    this.#figures.faultsFired = Object.fromEntries(this.#deck?.fired ?? []);
    this.#figures.sidecarBytesMax = this.#memory.sidecar;
    this.#figures.redisBytesMax = this.#memory.redis;
    return { figures: this.#figures, findings: this.#findings, directory: isClean ? null : this.#directory };
  }

  /** Interrupted: nothing was found that anybody would look for. */
  readonly #onLeave = (): void => rmSync(this.#directory, { recursive: true, force: true, maxRetries: 3 });

  get #seconds(): number {
    return Math.round((performance.now() - this.#startedMs) / 1_000);
  }

  get #goesOn(): boolean {
    if (this.#findings.length > 0) return false;
    // A round more or less: whichever comes nearer to what was asked for.
    const isTime = this.#seconds + this.#roundSeconds / 2 >= this.options.minutes * 60;
    return !isTime || this.#deck === null || this.#deck.missing.length > 0;
  }

  #progress(): string {
    const { rounds, eventsChecked } = this.#figures;
    const fired = [...(this.#deck?.fired.values() ?? [])].reduce((sum, times) => sum + times, 0);
    return `seed ${this.options.seed}, ${this.#seconds} s, round ${rounds + 1}: ${fired} faults, ${eventsChecked} events checked; ${this.#doing}`;
  }

  readonly #report: Report = (kind, message, amount) => {
    const finding: Finding = { kind, message, ...(amount === undefined ? {} : { amount }) };
    countFinding(this.#figures, finding);
    this.#findings.push(finding);
  };

  async #cluster(number: number): Promise<void> {
    this.#doing = 'a cluster starts';
    const directory = join(this.#directory, `cluster-${number}`);
    const fsync = FSYNCS[number % FSYNCS.length] as Fsync;
    const cluster = await Cluster.start({ directory, fsync });
    const measuring = setInterval(() => void measureMemory(cluster, this.#memory), MEASURE_EVERY_MS);
    this.#checkedBefore = { events: 0, calls: 0, lines: 0, givenBack: 0 };
    const rounds: RoundLogs[] = [];
    const accounts: string[] = [];
    try {
      this.#deck ??= this.#newDeck(cluster);
      for (let round = 1; round <= CLUSTER_ROUNDS && this.#goesOn; round++) {
        const begunSeconds = this.#seconds;
        await this.#round(cluster, `${number}-${round}`, rounds, accounts);
        this.#figures.rounds++;
        this.#roundSeconds = this.#seconds - begunSeconds;
      }
    } catch (error) {
      this.#report('broken', error instanceof Error ? error.message : String(error));
    } finally {
      clearInterval(measuring);
      await cluster.stop({ keeps: this.#findings.length > 0 });
    }
    if (this.#findings.length === 0) rmSync(directory, { recursive: true, force: true });
  }

  #newDeck(cluster: Cluster): Deck {
    const skipped: Record<string, string> = {};
    for (const { kind, problem } of this.options.faults) {
      const why = problem?.(cluster) ?? null;
      if (why !== null) skipped[kind] = why;
    }
    this.#figures.skipped = skipped;
    for (const [kind, why] of Object.entries(skipped)) this.options.say(`${kind} SKIPPED: ${why}`);
    const possible = this.options.faults.filter(({ kind }) => !(kind in skipped));
    return new Deck(possible, this.#random);
  }

  async #round(cluster: Cluster, name: string, rounds: RoundLogs[], allAccounts: string[]): Promise<void> {
    const deck = this.#deck as Deck;
    const random = new SeededRandom(this.#random.between(0, 2 ** 31));
    const accounts = await createAccounts(cluster, name);
    allAccounts.push(...Object.values(accounts).flat());
    const directory = join(cluster.options.directory, `round-${name}`);
    mkdirSync(directory, { recursive: true });
    cluster.clients = startClients(cluster, accounts, { name, directory, random });
    const faults = deck.draw(ROUND_FAULTS);
    const { filesUnreadable } = cluster.redis;
    await playFaults(faults, {
      cluster,
      random,
      deck,
      note: (line) => appendFileSync(join(directory, 'faults.log'), `${new Date().toISOString()} ${line}\n`),
      onPlaying: (kinds) => {
        this.#doing = kinds.length === 0 ? 'nothing is broken' : kinds.join(', ');
      },
    });
    await this.#recover(cluster);
    await this.#finish(cluster);
    const { redis } = cluster;
    const lostRedis =
      redis.filesUnreadable > filesUnreadable ||
      faults.some(
        ({ losesRedis }) =>
          losesRedis === 'always' || (losesRedis === 'everysec' && redis.fsync === 'everysec'),
      );
    rounds.push({ logs: cluster.clients.map(({ orders }) => readLog(orders.logFile)), lostRedis });
    this.#doing = 'checking';
    await comeToRest(cluster, allAccounts);
    const counts = await check(cluster, rounds, allAccounts, this.#report);
    this.#count(counts);
    this.#checkMemory();
  }

  /** From here on nothing is broken. */
  async #recover(cluster: Cluster): Promise<void> {
    this.#doing = 'recovering';
    for (const link of cluster.allLinks) link.heal();
    const healedMs = performance.now();
    for (const sidecar of cluster.sidecars) {
      await until(
        `${sidecar.name} is ready again`,
        () => this.#isAlive(sidecar) && sidecar.isReady(),
        RECOVERY_MAX_MS,
      ).catch(async (error: Error) => {
        throw new Error(`${error.message}: ${await sidecar.reasons()}`);
      });
    }
    const recoveryMs = Math.round(performance.now() - healedMs);
    this.#figures.longestRecoveryMs = Math.max(this.#figures.longestRecoveryMs, recoveryMs);
  }

  #isAlive({ ended }: SidecarProcess | ClientHandle): boolean {
    if (ended !== null) throw new Error(ended);
    return true;
  }

  async #finish(cluster: Cluster): Promise<void> {
    this.#doing = 'clients finish';
    for (const client of cluster.clients) client.finish();
    await until(
      'every client has the last word on everything',
      () =>
        cluster.sidecars.every((sidecar) => this.#isAlive(sidecar)) &&
        cluster.clients.every((client) => this.#isAlive(client) && client.isFinished),
      FINISH_MAX_MS,
    );
  }

  /** Checks look at a cluster's whole life; what earlier rounds had counted is not counted again. */
  #count(counts: {
    readonly events: number;
    readonly calls: number;
    readonly givenBack: number;
    readonly lines: number;
  }): void {
    const before = this.#checkedBefore;
    this.#figures.eventsChecked += counts.events - before.events;
    this.#figures.operationsChecked += counts.calls - before.calls;
    this.#figures.linesChecked += counts.lines - before.lines;
    this.#figures.givenBack += counts.givenBack - before.givenBack;
    this.#checkedBefore = counts;
  }

  #checkMemory(): void {
    const { sidecar, redis } = this.#memory;
    if (sidecar > SIDECAR_BYTES_MAX)
      this.#report('broken', `a sidecar had ${sidecar} bytes, more than ${SIDECAR_BYTES_MAX}`);
    if (redis > REDIS_BYTES_MAX)
      this.#report('broken', `Redis had ${redis} bytes, more than ${REDIS_BYTES_MAX}`);
  }
}

async function createAccounts(cluster: Cluster, round: string): Promise<Accounts> {
  const { client } = cluster.sidecars[0] as SidecarProcess;
  const made = async (role: keyof typeof ACCOUNTS): Promise<string[]> => {
    const ids = Array.from({ length: ACCOUNTS[role] }, (_, i) => `${round}-${role}-${i + 1}`);
    await Promise.all(ids.map((id) => client.account(id, GRANTED[role])));
    return ids;
  };
  return {
    rich: await made('rich'),
    poor: await made('poor'),
    speech: await made('speech'),
    session: await made('session'),
  };
}

function startClients(
  cluster: Cluster,
  accounts: Accounts,
  {
    name,
    directory,
    random,
  }: { readonly name: string; readonly directory: string; readonly random: SeededRandom },
): ClientHandle[] {
  return Array.from({ length: CLIENTS }, (_, i) => {
    const handle = new ClientHandle(
      {
        name: `r${name}-c${i + 1}`,
        addresses: (cluster.links.clients[i] ?? []).map(({ port }) => `127.0.0.1:${port}`),
        logFile: join(directory, `client-${i + 1}.log`),
        seed: random.between(0, 2 ** 31),
        accounts,
      },
      join(directory, `client-${i + 1}.output`),
    );
    handle.start();
    return handle;
  });
}
