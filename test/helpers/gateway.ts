/** Gateways as processes of their own, on the built client. */
import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { expect } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import type { KnownSession } from './known-sessions.js';
import { until } from './until.js';

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

  freeze(): void {
    this.child.kill('SIGSTOP');
  }

  /** What it says from now on counts for nothing. */
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
