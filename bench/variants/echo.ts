/** A bidirectional stream that answers each message with itself: the least that a call over gRPC can be. */
export const echoPath = '/drawdown.bench.Echo/Echo';
export const identity = (bytes: Buffer): Buffer => bytes;
