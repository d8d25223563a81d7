/** The examples that meter while they answer, as processes of their own against a real sidecar. */
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import OpenAI from 'openai';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packageRoot } from '../../src/paths.js';
import { type RunningExample, startExample } from '../helpers/example.js';
import { startTestSidecar, type TestSidecar } from '../helpers/sidecar.js';
import { createDatabase, startRedis, type TestDatabase, type TestRedis } from '../helpers/stores.js';
import { until } from '../helpers/until.js';
import { expectVerified } from '../helpers/verified.js';

interface Upstream {
  readonly address: string;
  readonly cancelled: number;
  readonly asked: readonly { stream_options?: { include_usage?: boolean } }[];
  stop(): void;
}

let redis: TestRedis;
let database: TestDatabase;
let sidecar: TestSidecar;
let upstream: Upstream;
let gateway: RunningExample;
let speaker: RunningExample;
let accounts = 0;

beforeAll(async () => {
  [redis, database] = await Promise.all([startRedis(), createDatabase()]);
  sidecar = await startTestSidecar({ redisUrl: redis.url, postgresUrl: database.url });
  const { startUpstream } = await import(join(packageRoot, 'examples/stand-in-upstream.mjs'));
  upstream = await startUpstream();
  const common = ['--port', '0', '--sidecar', sidecar.grpcAddress];
  [gateway, speaker] = await Promise.all([
    startExample('chat-gateway.mjs', [...common, '--upstream', upstream.address]),
    startExample('tts-service.mjs', common),
  ]);
});
afterAll(async () => {
  expect(await Promise.all([gateway.stop(), speaker.stop()])).toEqual([0, 0]);
  upstream.stop();
  await expectVerified(sidecar.config);
  await sidecar.stop();
  await Promise.all([redis.stop(), database.drop()]);
});

const account = (micros?: number): Promise<string> => sidecar.client.account(`chat-${++accounts}`, micros);
const client = (accountId: string): OpenAI =>
  new OpenAI({ apiKey: accountId, baseURL: gateway.url, maxRetries: 0 });

/** The account's balance once nothing is held any more. */
async function balance(accountId: string, unit?: 'UNIT_TTS_CHARACTERS') {
  await until('nothing is held', async () => (await sidecar.client.balance(accountId, unit)).held === 0);
  return await sidecar.client.balance(accountId, unit);
}

interface Answer {
  readonly text: string;
  readonly finish: string | null;
  readonly usage: OpenAI.CompletionUsage | null;
}

/** claude-haiku-4-5 costs 1 micro-credit an input token and 5 an output token; the stand-in's tokens are four characters each. */
async function ask(accountId: string, content: string, more: object = {}): Promise<Answer> {
  const stream = await client(accountId).chat.completions.create({
    model: 'claude-haiku-4-5',
    stream: true,
    messages: [{ role: 'user', content }],
    ...more,
  });
  let text = '';
  let finish: string | null = null;
  let usage: OpenAI.CompletionUsage | null = null;
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? '';
    finish = chunk.choices[0]?.finish_reason ?? finish;
    usage = chunk.usage ?? usage;
  }
  return { text, finish, usage };
}

describe('the chat gateway', () => {
  it('streams an answer to the client of OpenAI, and charges what the upstream counted', async () => {
    const id = await account(100_000);
    const { text, finish, usage } = await ask(id, 'say 300');
    expect(text).toHaveLength(1_200);
    expect([finish, usage]).toEqual(['stop', null]);
    expect(upstream.asked.at(-1)?.stream_options).toEqual({ include_usage: true });
    expect(await balance(id)).toEqual({ available: 100_000 - 2 - 1_500, held: 0, debt: 0 });
  });

  it('passes the usage on to those who ask for it', async () => {
    const id = await account(100_000);
    const { usage } = await ask(id, 'say 10', { stream_options: { include_usage: true } });
    expect(usage).toEqual({ prompt_tokens: 2, completion_tokens: 10, total_tokens: 12 });
  });

  it('charges what was streamed where the upstream says no usage', async () => {
    const id = await account(100_000);
    expect(await ask(id, 'say 100, no usage')).toMatchObject({ finish: 'stop' });
    expect(await balance(id)).toEqual({ available: 100_000 - 5 - 500, held: 0, debt: 0 });
  });

  it('cuts an answer where the balance ends, with a valid end, and leaves no debt', async () => {
    const id = await account(2_000);
    const cancelled = upstream.cancelled;
    const answer = await ask(id, 'say 100000 slowly', { stream_options: { include_usage: true } });
    expect(answer.finish).toBe('length');
    const tokens = answer.text.length / 4;
    // 5 input tokens, and all that is left: less than one more token costs.
    expect(tokens).toBe(Math.floor((2_000 - 5) / 5));
    expect(answer.usage).toEqual({ prompt_tokens: 5, completion_tokens: tokens, total_tokens: tokens + 5 });
    expect(await balance(id)).toEqual({ available: 0, held: 0, debt: 0 });
    await until('the upstream is cancelled', () => upstream.cancelled > cancelled);
  });

  it('says 402 to an account that has nothing', async () => {
    const id = await account();
    await expect(ask(id, 'say 5')).rejects.toMatchObject({ status: 402, code: 'INSUFFICIENT_BALANCE' });
  });

  it('cancels the upstream when the client goes away, and charges what was streamed', async () => {
    const id = await account(1_000_000);
    const cancelled = upstream.cancelled;
    const stream = await client(id).chat.completions.create({
      model: 'claude-haiku-4-5',
      stream: true,
      messages: [{ role: 'user', content: 'say 100000 slowly' }],
    });
    let tokens = 0;
    for await (const chunk of stream) {
      if ((chunk.choices[0]?.delta.content ?? '') !== '' && ++tokens === 20) break;
    }
    await until('the upstream is cancelled', () => upstream.cancelled > cancelled);
    const line = await until('it is settled', () => gateway.lines().find((one) => one.startsWith(`${id} `)));
    const [, streamed, charged] = (/settled: (\d+) tokens, (\d+) micro-credits/.exec(line) ?? []).map(Number);
    expect(streamed).toBeGreaterThanOrEqual(20);
    expect(streamed).toBeLessThan(100_000);
    expect(charged).toBe(5 + 5 * (streamed as number));
    expect(await balance(id)).toEqual({ available: 1_000_000 - (charged as number), held: 0, debt: 0 });
  });

  it('charges nothing for an upstream that refuses, and what was streamed of one that breaks', async () => {
    const id = await account(10_000);
    await expect(ask(id, 'refuse')).rejects.toMatchObject({ status: 502 });
    expect(await balance(id)).toEqual({ available: 10_000, held: 0, debt: 0 });
    await expect(ask(id, 'say 100 slowly, break')).rejects.toThrow();
    const line = await until('it is settled', () =>
      gateway.lines().find((one) => one.startsWith(`${id} settled`)),
    );
    const [, streamed] = (/settled: (\d+) tokens/.exec(line) ?? []).map(Number) as [number, number];
    expect(streamed).toBeLessThanOrEqual(50);
    expect(await balance(id)).toEqual({ available: 10_000 - 6 - 5 * streamed, held: 0, debt: 0 });
  });
});

describe('the tts service', () => {
  const speak = (accountId: string, text: string): Promise<Response> =>
    fetch(`${speaker.url}/v1/speech`, {
      method: 'POST',
      headers: { authorization: `Bearer ${accountId}` },
      body: text,
    });

  it('speaks a text and settles its characters', async () => {
    const id = await account();
    await sidecar.client.topUp(id, 1_000, { unit: 'UNIT_TTS_CHARACTERS' });
    const response = await speak(id, 'Good morning! It is seven.');
    expect(response.headers.get('content-type')).toContain('audio/L16');
    expect((await response.arrayBuffer()).byteLength).toBe(26 * 960);
    expect(await balance(id, 'UNIT_TTS_CHARACTERS')).toEqual({ available: 974, held: 0, debt: 0 });
  });

  it('denies a text that is too long for the account before it speaks', async () => {
    const id = await account();
    await sidecar.client.topUp(id, 20, { unit: 'UNIT_TTS_CHARACTERS' });
    expect((await speak(id, 'Good morning! It is seven.')).status).toBe(402);
    expect(await balance(id, 'UNIT_TTS_CHARACTERS')).toEqual({ available: 20, held: 0, debt: 0 });
  });

  it('charges nothing for speech that failed', async () => {
    const id = await account();
    await sidecar.client.topUp(id, 1_000, { unit: 'UNIT_TTS_CHARACTERS' });
    expect((await speak(id, '[fail]')).status).toBe(502);
    await expect(speak(id, 'Good morning! It [fail]s.').then((one) => one.arrayBuffer())).rejects.toThrow();
    expect(await balance(id, 'UNIT_TTS_CHARACTERS')).toEqual({ available: 1_000, held: 0, debt: 0 });
  });
});

describe('their README', () => {
  const page = readFileSync(join(packageRoot, 'examples/README.md'), 'utf8');

  it('has curl lines that work', async () => {
    const id = await account(10_000_000);
    const curls = page
      .split('\n')
      .filter((line) => line.startsWith('curl '))
      .map((line) =>
        line
          .replace('http://127.0.0.1:8080/v1', gateway.url)
          .replace('http://127.0.0.1:8090', speaker.url)
          .replace('Bearer demo', `Bearer ${id}`)
          .replace('--output speech.pcm', '--output /dev/null --write-out "%{http_code} %{size_download}"'),
      );
    expect(curls).toHaveLength(2);
    const outputs = await Promise.all(
      curls.map(async (line) => (await promisify(execFile)('sh', ['-c', `${line} -sS`])).stdout),
    );
    expect(outputs[0]).toMatch(/"finish_reason":"stop".*\n\ndata: \[DONE\]\n\n$/s);
    expect(outputs[1]).toBe(`200 ${26 * 960}`);
  });

  it('and each example explains itself', () => {
    for (const example of ['chat-gateway.mjs', 'tts-service.mjs', 'stand-in-upstream.mjs']) {
      expect(page).toContain(`\`${example}\``);
      const help = execFileSync(process.execPath, [join(packageRoot, 'examples', example), '--help']);
      expect(help.toString()).toContain(`node examples/${example}`);
    }
  });
});
