import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from '@grpc/grpc-js';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import protobuf from 'protobufjs';
import { protoDirectory } from '../paths.js';

// The library cuts a string that reaches beyond its message, where every other type of field is refused.
protobuf.BufferReader.prototype.string = function string(this: protobuf.BufferReader): string {
  return Buffer.from(this.bytes()).toString('utf8');
};

/** The proto files as grpc-js needs them: 64-bit integers as strings, for checked conversion on both sides. */
export const packageDefinition: PackageDefinition = loadSync(
  [
    'drawdown/v1/usage_service.proto',
    'drawdown/v1/account_service.proto',
    'drawdown/v1/agent_service.proto',
    'drawdown/v1/catalog_service.proto',
  ],
  { longs: String, enums: String, defaults: true, oneofs: true, includeDirs: [protoDirectory] },
);

export type ServiceName = 'UsageService' | 'AccountService' | 'AgentService' | 'CatalogService';

/** Client constructors by the name of the service. */
export function serviceClient(name: ServiceName): ServiceClientConstructor {
  const v1 = (loadPackageDefinition(packageDefinition).drawdown as GrpcObject).v1 as GrpcObject;
  return v1[name] as ServiceClientConstructor;
}
