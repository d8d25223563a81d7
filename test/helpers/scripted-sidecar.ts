/** A server of MeterUsage, Settle and Release that does what a test says: for what a real sidecar cannot be made to do. */
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type ServiceDefinition,
  type sendUnaryData,
  type status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { DrawdownError, type ErrorCode } from '../../src/errors.js';
import type { MeterUsageRequest__Output } from '../../src/gen/drawdown/v1/MeterUsageRequest.js';
import type { MeterUsageResponse } from '../../src/gen/drawdown/v1/MeterUsageResponse.js';
import { toStatus } from '../../src/grpc/errors.js';
import { protoDirectory } from '../../src/paths.js';
import { until } from './until.js';

type Message = MeterUsageRequest__Output;
type Open = NonNullable<Message['opens']>[number];

export class ScriptedStream {
  readonly received: Message[] = [];
  /** The client has half-closed. */
  hasEnded = false;
  isBroken = false;

  constructor(private readonly call: ServerDuplexStream<Message, MeterUsageResponse>) {
    call.on('data', (message: Message) => this.received.push(message));
    call.on('end', () => {
      this.hasEnded = true;
    });
    call.on('cancelled', () => {
      this.isBroken = true;
    });
    call.on('error', () => undefined);
  }

  get opens(): Open[] {
    return this.received.flatMap(({ opens }) => opens);
  }

  get progress(): { session: number; counts: number[] }[] {
    return this.received.flatMap(({ progress }) =>
      progress.map(({ session, counts }) => ({ session, counts: counts.map(Number) })),
    );
  }

  answer(response: MeterUsageResponse): void {
    this.call.write(response);
  }

  /** The verdict on the open of this session. */
  opened(session: number, allowedThrough: number, more: object = {}): void {
    const opened = {
      session,
      verdict: 'VERDICT_ALLOWED' as const,
      allowedThrough,
      unit: 'UNIT_CREDITS' as const,
      held: 500,
      available: 1_000,
      catalogVersion: 3,
      generation: 1,
      ...more,
    };
    this.answer({ opened: [opened] });
  }

  acknowledge(session: number, counts: number[], allowedThrough: number): void {
    this.answer({ acknowledged: [{ session, counts, allowedThrough }] });
  }

  settled(session: number, charged = 5): void {
    this.answer({ ended: [{ session, settled: { unit: 'UNIT_CREDITS', charged, available: 7 } }] });
  }

  end(): void {
    this.call.end();
  }

  fail(code: status, details = 'a test says so'): void {
    this.call.emit('error', { code, details });
  }
}

export interface ScriptedCall {
  readonly name: 'Settle' | 'Release';
  readonly request: Record<string, unknown>;
  readonly answer: (response: object) => void;
  readonly fail: (code: status) => void;
  /** As a sidecar refuses it. */
  readonly refuse: (code: ErrorCode) => void;
}

export interface ScriptedSidecar {
  readonly address: string;
  readonly streams: ScriptedStream[];
  readonly calls: ScriptedCall[];
  /** The stream of this number, from 0, once it is there. */
  stream(index: number): Promise<ScriptedStream>;
  stop(): void;
}

export async function startScripted(address = '127.0.0.1:0'): Promise<ScriptedSidecar> {
  const options = {
    longs: Number,
    enums: String,
    defaults: true,
    oneofs: true,
    includeDirs: [protoDirectory],
  };
  const loaded = loadSync('drawdown/v1/usage_service.proto', options);
  const streams: ScriptedStream[] = [];
  const calls: ScriptedCall[] = [];
  const unary =
    (name: ScriptedCall['name']) =>
    (call: ServerUnaryCall<Record<string, unknown>, object>, done: sendUnaryData<object>): void => {
      calls.push({
        name,
        request: call.request,
        answer: (response) => done(null, response),
        fail: (code) => done({ code, details: 'a test says so' }),
        refuse: (code) => done(toStatus(new DrawdownError(code, 'a test says so'))),
      });
    };
  const server = new Server();
  server.addService(loaded['drawdown.v1.UsageService'] as ServiceDefinition, {
    MeterUsage: (call: ServerDuplexStream<Message, MeterUsageResponse>) => {
      streams.push(new ScriptedStream(call));
    },
    Settle: unary('Settle'),
    Release: unary('Release'),
  });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
  return {
    address: `127.0.0.1:${port}`,
    streams,
    calls,
    stream: (index) => until(`stream ${index}`, () => streams[index]),
    stop: () => server.forceShutdown(),
  };
}
