/** Gateways as processes of their own, and what they and their parent know of their sessions. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import type { TestSidecar } from './sidecar.js';
import { until } from './until.js';
import { expectVerified } from './verified.js';

const inputTokens = 100;

/** In micro-credits: 1 an input token and 5 an output token. */
const costOf = (output: number): number => inputTokens + 5 * output;

/** One session as its gateways know it. */
export interface KnownSession {
  readonly id: string;
  /** The largest count that was reported. */
  sent: number;
  /** The largest count that was acknowledged; -1: not even its open. */
  acknowledged: number;
  /** What it was to be settled on, as long as that has no answer: it may have been booked or not. */
  settling: number[];
  settled: { readonly count: number; readonly charged: number; readonly isLate: boolean } | null;
}

/** What gateway-process.mjs says: each line is one of these, of one session or of the gateway. */
interface Line {
  readonly id?: string;
  readonly opened?: number;
  readonly denied?: string;
  readonly sent?: number;
  readonly acknowledged?: number;
  readonly settling?: number;
  readonly settled?: number;
  readonly outcome?: 'settled' | 'kept';
  readonly charged?: number;
  readonly late?: boolean;
  readonly refused?: string;
  readonly stopped?: string;
  readonly ready?: true;
  readonly served?: true;
  readonly closed?: boolean;
}

export function makeSessions(prefix: string, count: number): KnownSession[] {
  return Array.from({ length: count }, (_, index) => ({
    id: `${prefix}-${index + 1}`,
    sent: 0,
    acknowledged: -1,
    settling: [],
    settled: null,
  }));
}

export interface GatewayOptions {
  readonly addresses: readonly string[];
  readonly accountId: string;
  /** The same for every gateway that is to take these sessions over. */
  readonly startTimeMs: number;
  readonly seed: number;
}

/** A gateway on the built client. What it says goes into the sessions that it serves, as long as it is heard. */
export class GatewayProcess {
  /** Lines that it has written. */
  said = 0;
  isServed = false;
  isDrained: boolean | null = null;
  /** By session: those that it has, whose open was denied, that it was told to stop, whose settle was refused. */
  readonly opened = new Set<string>();
  readonly denied = new Map<string, string>();
  readonly stopped = new Map<string, string>();
  readonly refused = new Map<string, string>();
  #sessions = new Map<string, KnownSession>();
  #isReady = false;
  #isOver = false;
  #errors = '';

  private constructor(private readonly child: ChildProcess) {
    createInterface({ input: child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      this.said++;
      // The last line of one that was killed may be half a line: what it announces was not done.
      if (line.endsWith('}')) this.#hear(JSON.parse(line));
    });
    child.stderr?.on('data', (bytes: Buffer) => {
      this.#errors += bytes.toString();
    });
    const onLeave = (): void => void child.kill('SIGKILL');
    process.on('exit', onLeave);
    child.on('close', () => {
      this.#isOver = true;
      process.off('exit', onLeave);
    });
  }

  /** Started, connected to nobody, and ready to serve at once. */
  static async start(options: GatewayOptions): Promise<GatewayProcess> {
    const script = join(packageRoot, 'test/helpers/gateway-process.mjs');
    const child = spawn(process.execPath, [script, JSON.stringify(options)], { cwd: packageRoot });
    const gateway = new GatewayProcess(child);
    await gateway.#until('the gateway is ready', () => gateway.#isReady);
    return gateway;
  }

  serve(sessions: readonly KnownSession[]): void {
    this.#sessions = new Map(sessions.map((session) => [session.id, session]));
    const orders = sessions.map(({ id, sent }) => ({ id, count: sent }));
    this.child.stdin?.write(`${JSON.stringify(orders)}\n`);
  }

  /** It has said so much, or has no more to say. */
  hasSaid(lines: number): Promise<unknown> {
    return this.#until(`it has said ${lines} lines`, () => this.said >= lines || this.isServed);
  }

  /** All its sessions are settled, or left as they are. */
  async served(): Promise<void> {
    await this.#until('all sessions are served', () => this.isServed);
  }

  async kill9(): Promise<void> {
    this.child.kill('SIGKILL');
    await until('it is gone', () => this.#isOver);
  }

  /** What it says from now on is not noted as what is known of its sessions. */
  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  unheard(): void {
    this.#sessions = new Map();
  }

  wake(): void {
    this.child.kill('SIGCONT');
  }

  /** Ends it as a gateway that is stopped ends: everything is durable. */
  async close(): Promise<void> {
    this.child.stdin?.end();
    await until('it has ended', () => this.#isOver);
    expect(this.isDrained, this.#errors).toBe(true);
  }

  #until(what: string, condition: () => boolean): Promise<unknown> {
    return until(what, () => {
      if (this.#isOver) throw new Error(`the gateway ended:\n${this.#errors}`);
      return condition();
    });
  }

  #hear(line: Line): void {
    if (line.ready) this.#isReady = true;
    if (line.served) this.isServed = true;
    if (line.closed !== undefined) this.isDrained = line.closed;
    const { id } = line;
    if (id === undefined) return;
    if (line.opened !== undefined) this.opened.add(id);
    if (line.denied !== undefined) this.denied.set(id, line.denied);
    if (line.stopped !== undefined) this.stopped.set(id, line.stopped);
    if (line.refused !== undefined) this.refused.set(id, line.refused);
    const session = this.#sessions.get(id);
    if (session !== undefined) note(session, line);
  }
}

function note(session: KnownSession, line: Line): void {
  const { settling, settled, charged = 0, late: isLate = false } = line;
  session.sent = Math.max(session.sent, line.sent ?? 0);
  session.acknowledged = Math.max(session.acknowledged, line.acknowledged ?? -1);
  // It was open, and is this gateway's now: what an earlier one asked for and was not booked is void.
  if (line.opened !== undefined) session.settling = [];
  if (settling !== undefined) session.settling.push(settling);
  if (settled !== undefined && line.outcome === 'settled')
    session.settled = { count: settled, charged, isLate };
}

/** Acknowledged <= charged <= sent for each, once, or exactly what it was settled on; nothing else was charged; verify is clean. */
export async function expectCharged(
  sidecar: Pick<TestSidecar, 'client' | 'config'>,
  accountId: string,
  sessions: readonly KnownSession[],
  granted: number,
): Promise<void> {
  let total = 0;
  for (const session of sessions) {
    const { id } = session;
    const usage = await until(`${id} has ended`, async () => {
      const found = await sidecar.client.call('UsageService/GetUsage', { accountId, holdId: id });
      return found.state === 'USAGE_STATE_HELD' ? null : found;
    });
    const charged = Number(usage.charged);
    total += charged;
    expect(problemOf(session, charged), `${id}: ${JSON.stringify(session)}`).toBeNull();
  }
  expect(await sidecar.client.balance(accountId)).toEqual({ available: granted - total, held: 0, debt: 0 });
  await expectVerified(sidecar.config);
}

function problemOf({ sent, acknowledged, settling, settled }: KnownSession, charged: number): string | null {
  const least = acknowledged < 0 ? 0 : costOf(acknowledged);
  if (settled !== null) {
    if (charged !== settled.charged) return `its settle said ${settled.charged}, charged is ${charged}`;
    const cost = costOf(settled.count);
    // The deadline had charged it before, and nothing of that is given back.
    const most = settled.isLate ? Math.max(cost, costOf(sent)) : cost;
    return charged >= cost && charged <= most ? null : `settled for ${cost}, charged ${charged}`;
  }
  if (settling.some((count) => costOf(count) === charged)) return null;
  return charged >= least && charged <= costOf(sent)
    ? null
    : `charged ${charged}, not ${least} to ${costOf(sent)}`;
}
