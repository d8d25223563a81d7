import { constants, type Http2Stream } from 'node:http2';

/** For the status to reach a client that reads again, or has room for it: it needs no answer, so a second is ample. */
const STATUS_WAIT_MS = 1_000;

interface Call {
  readonly nextCall?: Call;
  readonly stream?: Http2Stream;
}

/**
 * Frees what a client holds that reads nothing, once its stream was ended. The status waits behind what is not read, for ever, and with it all that was to be
 * sent: so the stream is reset after a moment. The client is told RESOURCE_EXHAUSTED, which is what gRPC makes of the code. grpc-js
 * has no call for it; tests would notice if the stream were not found.
 */
export function resetUnread(stream: object): void {
  setTimeout(() => {
    let call = (stream as { readonly call?: Call }).call;
    while (call?.nextCall !== undefined) call = call.nextCall;
    if (call?.stream?.closed === false) call.stream.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
  }, STATUS_WAIT_MS).unref();
}
