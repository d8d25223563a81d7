import { type ChildProcess, fork } from 'node:child_process';
import type { Answers, Reply, Request } from './clients/protocol.js';

/** The process that makes the load, seen from the harness. One request at a time. */
export class ClientProcess {
  readonly #child: ChildProcess;
  #pending: { resolve: (answer: never) => void; reject: (error: Error) => void } | undefined;
  #failure: Error | undefined;

  constructor(file: URL, parameters: readonly string[] = []) {
    this.#child = fork(file, [...parameters], { serialization: 'advanced' });
    this.#child.on('message', (reply: Reply) => {
      if (reply.type === 'failed') this.#fail(new Error(`The client failed: ${reply.message}`));
      else {
        const pending = this.#pending;
        this.#pending = undefined;
        pending?.resolve(reply.answer as never);
      }
    });
    this.#child.on('exit', (code) => this.#fail(new Error(`The client ended with code ${code}`)));
  }

  get pid(): number {
    return this.#child.pid as number;
  }

  ask<Type extends Request['type']>(request: Extract<Request, { type: Type }>): Promise<Answers[Type]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#pending = { resolve: resolve as (answer: never) => void, reject };
      this.#child.send(request);
    });
  }

  kill(): void {
    this.#child.removeAllListeners('exit');
    this.#child.kill('SIGKILL');
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#pending?.reject(this.#failure);
    this.#pending = undefined;
  }
}
