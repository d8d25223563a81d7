/** A client's process as the run sees it: started, killed, frozen, started again on the same log. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { ClientOrders } from './client-process.js';
import { endsWithUs, kill9 } from './process-tree.js';

const program = fileURLToPath(new URL('./client-process.js', import.meta.url));

export class ClientHandle {
  #child: ChildProcess | null = null;
  #isFinishing = false;
  /** Everything it did has its last word. */
  isFinished = false;
  /** How it ended although nobody had asked it to. */
  ended: string | null = null;

  constructor(
    readonly orders: ClientOrders,
    private readonly outputFile: string,
  ) {
    endsWithUs(() => this.pid);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  start(): void {
    const child = spawn(process.execPath, [program, JSON.stringify(this.orders)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    const output = createWriteStream(this.outputFile, { flags: 'a' });
    child.stdout.pipe(output, { end: false });
    child.stderr.pipe(output, { end: false });
    child.stdin.on('error', () => undefined);
    child.on('exit', (code, signal) => {
      if (this.#child !== child) return;
      this.#child = null;
      if (code === 0) this.isFinished = true;
      else this.ended = `${this.orders.name} ended with ${signal ?? `code ${code}`}; see ${this.outputFile}`;
    });
    this.#child = child;
    if (this.#isFinishing) this.finish();
  }

  /** Begins nothing new, and ends when everything has its last word. */
  finish(): void {
    this.#isFinishing = true;
    this.#child?.stdin?.write('finish\n');
  }

  async kill9(): Promise<void> {
    const { pid } = this;
    this.#child = null;
    if (pid > 0) await kill9(pid);
  }
}
