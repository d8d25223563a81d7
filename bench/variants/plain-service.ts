import { join } from 'node:path';
import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { packageRoot } from '../../src/paths.js';

/** The contract of the plain design, for its server and its client. */

export interface PlainEvent {
  readonly event_id: string;
  readonly account_id: string;
  readonly model: string;
  readonly input_tokens: number;
  readonly output_tokens: number;
  readonly event_time_ms: number;
}

export interface PlainOutcome {
  readonly duplicate: boolean;
  readonly charged: number;
  readonly balance: number;
}

// Numbers are the fastest of proto-loader's ways to carry int64; all of ours are below 2^53.
const definition = loadSync(join(packageRoot, 'bench/variants/plain.proto'), {
  keepCase: true,
  longs: Number,
  defaults: true,
});
const root = loadPackageDefinition(definition);
const bench = (root.drawdown as GrpcObject).bench as GrpcObject;

export const PlainMeter = (bench.plain as GrpcObject).PlainMeter as ServiceClientConstructor;
