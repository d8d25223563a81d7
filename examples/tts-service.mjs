// A TTS service that sets a whole text's characters aside before it speaks, reports them with every chunk of audio, settles on the
// vendor's count, and releases what failed.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { countCharacters, Meter } from 'drawdown/client';

const help = `A TTS service in front of a stand-in vendor: POST /v1/speech, text in, audio out.

  node examples/tts-service.mjs [--port 8090] [--sidecar 127.0.0.1:50051]...

  --port      where it listens on the loopback address; 0: any free port
  --sidecar   address of a sidecar; may be given several times

It needs a sidecar (npm start) and an account with characters or credits. The API key of a request is the account's id; a text with
[fail] in it fails half way:

  npx drawdown account create demo && npx drawdown account topup demo --credits 10
  curl http://127.0.0.1:8090/v1/speech -H 'authorization: Bearer demo' --data 'Good morning! It is seven.' --output speech.pcm`;

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '8090' },
    sidecar: { type: 'string', multiple: true, default: ['127.0.0.1:50051'] },
    help: { type: 'boolean' },
  },
});
if (options.help) {
  console.log(help);
  process.exit();
}

const meter = new Meter({
  addresses: options.sidecar,
  onLost: (lost) => console.error('not booked, look into it:', lost),
});

const textBytesMax = 65_536;
/** As the catalog counts this model. */
const model = 'eleven_flash_v2_5';
const count = (text) => countCharacters(text, { unit: 'code_points', markup: 'not_counted' });

const server = createServer((request, response) => {
  speak(request, response).catch((error) => fail(response, 500, error.message));
});

async function speak(request, response) {
  if (request.method !== 'POST' || request.url !== '/v1/speech')
    return fail(response, 404, 'POST /v1/speech');
  const accountId = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (accountId === undefined) return fail(response, 401, 'The API key is the account');
  const text = await textOf(request);
  if (text === null || count(text) === 0) return fail(response, 400, 'The body is the text to be spoken');
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  // Speech cannot be cut short: all of it is set aside, or nothing.
  const session = await meter.open({
    sessionId: randomUUID(),
    accountId,
    meter: 'tts',
    model,
    counted: ['characters'],
    expectedMax: count(text),
    whole: true,
    signal: gone.signal,
  });
  if (!session.allowed) {
    const status = session.judged ? 402 : 503;
    return fail(response, status, `${session.reason}, ${session.missing} missing`);
  }
  let spoken = 0;
  try {
    for await (const { audio, characters } of synthesise(text)) {
      if (gone.signal.aborted) break;
      spoken = characters;
      session.report({ characters: spoken });
      if (!response.headersSent) {
        response.writeHead(200, { 'content-type': 'audio/L16;rate=8000;channels=1' });
      }
      if (!response.write(audio)) await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
  } catch (error) {
    // Nobody is charged for speech that failed.
    await session.release();
    console.log(`${accountId} released: ${error.message}`);
    return fail(response, 502, error.message);
  }
  response.end();
  const settled = await session.settle({ characters: spoken });
  console.log(`${accountId} ${settled.outcome}: ${spoken} characters`);
}

/** Stands in for a vendor: silence, sentence by sentence, with its count of all the characters spoken so far. */
async function* synthesise(text) {
  let characters = 0;
  for (const sentence of text.split(/(?<=[.!?])/)) {
    await new Promise((resolve) => setTimeout(resolve, 1));
    if (sentence.includes('[fail]')) throw new Error('the vendor failed');
    characters += count(sentence);
    // 60 ms of 16-bit samples a character.
    yield { audio: Buffer.alloc(count(sentence) * 960), characters };
  }
}

async function textOf(request) {
  const pieces = [];
  let bytes = 0;
  for await (const piece of request) {
    bytes += piece.length;
    if (bytes > textBytesMax) return null;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

function fail(response, status, message) {
  if (response.headersSent) return response.destroy();
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message } }));
}

server.listen(Number(options.port), '127.0.0.1', () => {
  console.log(`tts service on http://127.0.0.1:${server.address().port}`);
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(async () => {
      const { isDrained } = await meter.close({ timeoutMs: 10_000 });
      process.exit(isDrained ? 0 : 1);
    });
    server.closeIdleConnections();
  });
}
