// Stands in for a vendor's chat API: real HTTP, real server-sent events, made-up answers. The chat gateway starts one by itself.
//
//   node examples/stand-in-upstream.mjs [--port 8081] [--help]
import { createServer } from 'node:http';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

/** Its tokens are four characters each. */
export const tokensOf = (text) => Math.ceil(text.length / 4);

/**
 * Answers "say N" with N tokens, anything else with 64, one token a chunk. What the last message says decides the rest: "slowly" pauses
 * after each chunk, "no usage" ends without the usage that was asked for, "break" breaks in the middle, "refuse" answers with an error.
 */
export function startUpstream(port = 0) {
  const upstream = { address: '', cancelled: 0, asked: [] };
  const server = createServer(async (request, response) => {
    const body = JSON.parse(await textOf(request));
    upstream.asked.push(body);
    const prompt = body.messages.at(-1).content;
    if (prompt.includes('refuse')) {
      response.writeHead(500, { 'content-type': 'application/json' });
      response.end(
        JSON.stringify({ error: { message: 'The vendor is out of order', type: 'server_error' } }),
      );
      return;
    }
    response.on('close', () => {
      if (!response.writableFinished) upstream.cancelled += 1;
    });
    await answer(body, prompt, response);
  });
  return new Promise((resolve) => {
    server.listen(port, '127.0.0.1', () => {
      upstream.address = `http://127.0.0.1:${server.address().port}`;
      resolve(Object.assign(upstream, { stop: () => server.closeAllConnections() || server.close() }));
    });
  });
}

async function answer(body, prompt, response) {
  const count = Number(/say (\d+)/.exec(prompt)?.[1] ?? 64);
  const id = `chatcmpl-${Date.now()}`;
  const chunk = (more) => ({ id, object: 'chat.completion.chunk', created: 0, model: body.model, ...more });
  const send = (event) => response.write(`data: ${JSON.stringify(event)}\n\n`);
  const choice = (delta, finish_reason = null) => [{ index: 0, delta, finish_reason }];
  response.writeHead(200, { 'content-type': 'text/event-stream' });
  send(chunk({ choices: choice({ role: 'assistant', content: '' }) }));
  for (let token = 0; token < count && !response.destroyed; token++) {
    if (prompt.includes('break') && token === count >> 1) {
      response.destroy();
      return;
    }
    const pauseMs = prompt.includes('slowly') ? 5 : 0;
    const isFree = send(
      chunk({ choices: choice({ content: `${token % 1_000}`.padStart(3, '0').padEnd(4) }) }),
    );
    if (!isFree || pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  send(chunk({ choices: choice({}, 'stop') }));
  const input = body.messages.reduce((sum, { content }) => sum + tokensOf(content), 0);
  if (body.stream_options?.include_usage && !prompt.includes('no usage')) {
    const usage = { prompt_tokens: input, completion_tokens: count, total_tokens: input + count };
    send(chunk({ choices: [], usage }));
  }
  response.end('data: [DONE]\n\n');
}

async function textOf(request) {
  let text = '';
  for await (const piece of request) text += piece;
  return text;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { values } = parseArgs({
    options: { port: { type: 'string', default: '8081' }, help: { type: 'boolean' } },
  });
  if (values.help) console.log('node examples/stand-in-upstream.mjs [--port 8081]');
  else console.log(`stand-in upstream on ${(await startUpstream(Number(values.port))).address}`);
}
