/** A meter beside scripted sidecars, and sessions open on them. */
import { Meter, type MeterOptions, type OpenRequest, type Session } from '../../src/client/index.js';
import { type ScriptedSidecar, type ScriptedStream, startScripted } from './scripted-sidecar.js';
import { until } from './until.js';

export const request: OpenRequest = {
  sessionId: 'session',
  accountId: 'account',
  meter: 'llm',
  model: 'example',
  known: { input_tokens: 10 },
  counted: ['output_tokens'],
};

export const openOf = (stream: ScriptedStream, session: number) =>
  until(`open ${session}`, () => stream.opens.find((one) => one.session === session));
export const settlesOf = (stream: ScriptedStream) => stream.received.flatMap(({ settles }) => settles);
export const releasesOf = (stream: ScriptedStream) => stream.received.flatMap(({ releases }) => releases);

export interface OpenScene {
  readonly meter: Meter;
  /** The one that the session is open on. */
  readonly sidecar: ScriptedSidecar;
  readonly other: ScriptedSidecar | undefined;
  readonly stream: ScriptedStream;
  readonly session: Session;
}

export class SessionScenes {
  readonly sidecars: ScriptedSidecar[] = [];
  readonly #meters: Meter[] = [];

  async start(options: MeterOptions = {}, count = 1): Promise<{ meter: Meter; sidecar: ScriptedSidecar }> {
    for (let i = 0; i < count; i++) this.sidecars.push(await startScripted());
    const addresses = this.sidecars.map(({ address }) => address);
    const meter = new Meter({ addresses, connections: 1, ...options });
    this.#meters.push(meter);
    return { meter, sidecar: this.sidecars[0] as ScriptedSidecar };
  }

  /** An open session, allowed through 100. */
  async open(options: MeterOptions = {}, count = 1, more: Partial<OpenRequest> = {}): Promise<OpenScene> {
    const { meter } = await this.start(options, count);
    const opening = meter.open({ ...request, ...more });
    const sidecar = await until('a stream', () => this.sidecars.find(({ streams }) => streams.length > 0));
    const stream = await sidecar.stream(0);
    await openOf(stream, 1);
    stream.opened(1, 100);
    const session = await opening;
    return { meter, sidecar, stream, session, other: this.sidecars.find((one) => one !== sidecar) };
  }

  async end(): Promise<void> {
    await Promise.all(this.#meters.splice(0).map((meter) => meter.close({ timeoutMs: 0 })));
    for (const sidecar of this.sidecars.splice(0)) sidecar.stop();
  }
}
