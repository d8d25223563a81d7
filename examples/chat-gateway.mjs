// An OpenAI-compatible streaming chat gateway that meters every answer while it streams: a session is opened before the upstream is
// asked, counts go out with the tokens, the answer is cut where the balance ends, and the upstream's own usage settles it.
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { parseArgs } from 'node:util';
import { Meter, openAiChatQuantities } from 'drawdown/client';
import { startUpstream, tokensOf } from './stand-in-upstream.mjs';

const help = `An OpenAI-compatible streaming chat gateway in front of a stand-in upstream.

  node examples/chat-gateway.mjs [--port 8080] [--sidecar 127.0.0.1:50051]... [--upstream URL]

  --port      where it listens on the loopback address; 0: any free port
  --sidecar   address of a sidecar; may be given several times
  --upstream  an OpenAI-compatible API; without it a stand-in is started

It needs a sidecar (npm start) and an account with credits. The API key of a request is the account's id:

  npx drawdown account create demo && npx drawdown account topup demo --credits 10
  curl -N http://127.0.0.1:8080/v1/chat/completions -H 'authorization: Bearer demo' -H 'content-type: application/json' \\
    -d '{"model":"example-small","stream":true,"messages":[{"role":"user","content":"say 20"}]}'`;

/** How long an answer waits for more room before it is cut. */
const roomMs = 5_000;
const bodyBytesMax = 1_048_576;

const { values: options } = parseArgs({
  options: {
    port: { type: 'string', default: '8080' },
    sidecar: { type: 'string', multiple: true, default: ['127.0.0.1:50051'] },
    upstream: { type: 'string' },
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
  onDisconnect: (error, address) => console.error(`the stream to ${address} broke (${error.code}), going on`),
});
const upstream = options.upstream ?? (await startUpstream()).address;

const server = createServer((request, response) => {
  complete(request, response).catch((error) => fail(response, 500, 'server_error', error.message));
});

async function complete(request, response) {
  if (request.method !== 'POST' || request.url !== '/v1/chat/completions') {
    return fail(response, 404, 'invalid_request_error', 'There is POST /v1/chat/completions');
  }
  const accountId = /^Bearer (\S+)$/.exec(request.headers.authorization ?? '')?.[1];
  if (accountId === undefined) return fail(response, 401, 'invalid_api_key', 'The API key is the account');
  const body = await bodyOf(request);
  if (body?.stream !== true || typeof body.model !== 'string' || !Array.isArray(body.messages)) {
    return fail(
      response,
      400,
      'invalid_request_error',
      'This gateway streams: model, messages, stream: true',
    );
  }
  // Whoever asked is gone: nobody pays for the rest.
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  const input = body.messages.reduce((sum, { content }) => sum + tokensOf(String(content)), 0);
  const session = await meter.open({
    sessionId: randomUUID(),
    accountId,
    meter: 'llm',
    model: body.model,
    known: { input_tokens: input },
    counted: ['output_tokens'],
    expectedMax: body.max_completion_tokens ?? body.max_tokens ?? 0,
    signal: gone.signal,
  });
  if (!session.allowed) {
    const status = session.judged ? 402 : 503;
    return fail(response, status, session.reason, `Denied; ${session.missing} micro-credits are missing`);
  }
  const answer = { input, output: 0, usage: null };
  try {
    const events = await ask(body, gone.signal);
    await pass(events, { body, session, answer, response });
  } catch (error) {
    if (!response.headersSent && !gone.signal.aborted) {
      await session.release();
      console.log(`${accountId} released: ${error.message}`);
      return fail(response, 502, 'upstream_error', error.message);
    }
    response.destroy();
  } finally {
    gone.abort();
  }
  await settle(session, answer);
}

/** The upstream's answer as a stream of events. It is asked for its usage whether or not our client wants to see it. */
async function ask(body, signal) {
  const response = await fetch(`${upstream}/v1/chat/completions`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      authorization: `Bearer ${process.env.UPSTREAM_KEY ?? ''}`,
    },
    body: JSON.stringify({ ...body, stream_options: { ...body.stream_options, include_usage: true } }),
    signal,
  });
  if (!response.ok) throw new Error(`The upstream answered ${response.status}`);
  return eventsOf(response.body);
}

/** Passes on what is allowed, counts it, and cuts the rest. */
async function pass(events, { body, session, answer, response }) {
  const send = async (event) => {
    if (!response.headersSent) response.writeHead(200, { 'content-type': 'text/event-stream' });
    if (response.write(`data: ${event}\n\n`)) return;
    await Promise.race([once(response, 'drain'), once(response, 'close')]);
  };
  let last;
  for await (const chunk of events) {
    if (chunk.usage) answer.usage = chunk.usage;
    if (chunk.choices.length === 0) continue;
    const { usage, ...shown } = chunk;
    last = shown;
    const content = chunk.choices[0].delta.content ?? '';
    const isWhole = await hasRoom(session, answer.output + tokensOf(content));
    if (!isWhole) {
      const choices = [{ index: 0, delta: {}, finish_reason: 'length' }];
      await send(JSON.stringify({ ...shown, choices }));
      // What the upstream would still say of its usage is about an answer that nobody got.
      answer.usage = null;
      break;
    }
    answer.output += tokensOf(content);
    session.report({ output_tokens: answer.output });
    await send(JSON.stringify(shown));
  }
  if (body.stream_options?.include_usage) {
    const usage = answer.usage ?? {
      prompt_tokens: answer.input,
      completion_tokens: answer.output,
      total_tokens: answer.input + answer.output,
    };
    await send(JSON.stringify({ ...last, choices: [], usage }));
  }
  await send('[DONE]');
  response.end();
}

async function hasRoom(session, count) {
  try {
    return await session.room(count, { timeoutMs: roomMs });
  } catch (error) {
    if (error.reason === 'TIMED_OUT') return false;
    throw error;
  }
}

/** On the upstream's count, or where there is none on what was streamed. */
async function settle(session, { input, output, usage }) {
  const quantities =
    usage === null ? { input_tokens: input, output_tokens: output } : openAiChatQuantities(usage);
  const settled = await session.settle(quantities);
  // 'kept': no sidecar answered; the meter repeats the settle until one has booked it.
  console.log(`${session.accountId} ${settled.outcome}: ${output} tokens, ${settled.charged} micro-credits`);
}

/** The JSON of each server-sent event, until [DONE]. */
async function* eventsOf(stream) {
  let text = '';
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const events = text.split('\n\n');
    text = events.pop();
    for (const event of events) {
      const data = /^data: ?(.*)$/m.exec(event)?.[1];
      if (data === '[DONE]') return;
      if (data !== undefined) yield JSON.parse(data);
    }
  }
  throw new Error('The upstream broke off');
}

async function bodyOf(request) {
  let text = '';
  for await (const piece of request) {
    text += piece;
    if (text.length > bodyBytesMax) return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function fail(response, status, type, message) {
  if (response.headersSent) return response.destroy();
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message, type, code: type, param: null } }));
}

server.listen(Number(options.port), '127.0.0.1', () => {
  console.log(`chat gateway on http://127.0.0.1:${server.address().port}/v1`);
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
