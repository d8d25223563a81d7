import { Server, ServerCredentials, type ServerDuplexStream } from '@grpc/grpc-js';
import { echoPath, identity } from './echo.js';

process.on('disconnect', () => process.exit(1));

const server = new Server();
const method = {
  path: echoPath,
  requestStream: true,
  responseStream: true,
  requestSerialize: identity,
  requestDeserialize: identity,
  responseSerialize: identity,
  responseDeserialize: identity,
};
server.addService(
  { Echo: method },
  {
    Echo: (call: ServerDuplexStream<Buffer, Buffer>): void => {
      call.on('data', (message: Buffer) => call.write(message));
      call.on('error', () => undefined); // The client is gone.
      call.on('end', () => call.end());
    },
  },
);
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error !== null) throw error;
  process.send?.(port);
});
