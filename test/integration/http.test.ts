import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type IncomingHttpHeaders, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Health } from '../../src/grpc/health.js';
import { createHttpServer, type HttpServer } from '../../src/http/server.js';
import { createMetrics } from '../../src/metrics.js';

const logger = pino({ level: 'silent' });
let directory: string;
let health: Health;
let server: HttpServer;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'drawdown-http-'));
  health = new Health();
});
afterEach(async () => {
  await server.stop();
  rmSync(directory, { recursive: true, force: true });
});

const socketPath = () => join(directory, 'http.sock');

async function start(authToken?: string, metrics = createMetrics()): Promise<string> {
  const config = { httpAddress: `unix:${socketPath()}`, authToken };
  server = createHttpServer({ config, metrics, health, logger });
  return server.listen();
}

interface Answer {
  code: number | undefined;
  body: string;
  headers: IncomingHttpHeaders;
}

function get(path: string, { method = 'GET', headers = {}, body = '' } = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socketPath(), path, method, headers }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        text += chunk;
      });
      response.on('end', () => resolve({ code: response.statusCode, body: text, headers: response.headers }));
    });
    call.on('error', reject);
    call.end(body);
  });
}

describe('HTTP', () => {
  it('serves metrics in the format of Prometheus, the process included', async () => {
    const metrics = createMetrics();
    metrics.onScrape(() => metrics.openHolds.set(42));
    await start(undefined, metrics);
    const { code, body, headers } = await get('/metrics');
    expect(code).toBe(200);
    expect(headers['content-type']).toMatch(/^text\/plain; version=0\.0\.4/);
    expect(body).toContain('drawdown_open_holds 42');
    expect(body).toContain('drawdown_duplicates_total{caught_by="postgres"} 0');
    expect(body).toContain('nodejs_eventloop_lag_seconds');
    expect(body).not.toMatch(/^# TYPE \S+_total gauge/m);
  });

  it('says whether it is ready, and why not', async () => {
    await start();
    expect(await get('/readyz')).toMatchObject({
      code: 503,
      body: '{"ready":false,"reasons":["starting"],"warnings":[]}\n',
    });
    health.setServing(true);
    expect(await get('/readyz')).toMatchObject({
      code: 200,
      body: '{"ready":true,"reasons":[],"warnings":[]}\n',
    });
    health.setServing(false, ['Redis is away', 'Postgres is away']);
    expect(JSON.parse((await get('/readyz')).body).reasons).toEqual(['Redis is away', 'Postgres is away']);
    expect((await get('/healthz')).code).toBe(200);
  });

  it('needs the token for metrics where one is configured, and for health never', async () => {
    await start('a-token-of-16-characters');
    expect((await get('/metrics')).code).toBe(401);
    expect((await get('/metrics', { headers: { authorization: 'Bearer wrong' } })).code).toBe(401);
    const right = { headers: { authorization: 'Bearer a-token-of-16-characters' } };
    expect((await get('/metrics', right)).code).toBe(200);
    expect((await get('/healthz')).code).toBe(200);
    expect((await get('/readyz')).code).toBe(503);
  });

  it('answers other paths and methods with 404 and 405, and HEAD without a body', async () => {
    await start();
    expect((await get('/')).code).toBe(404);
    expect((await get('/metrics/x')).code).toBe(404);
    const post = await get('/metrics', { method: 'POST', body: 'x'.repeat(100_000) });
    expect(post).toMatchObject({ code: 405, headers: { allow: 'GET, HEAD', connection: 'close' } });
    expect(await get('/healthz?x=1', { method: 'HEAD' })).toMatchObject({ code: 200, body: '' });
  });

  it('answers 500 and goes on when a gauge cannot be computed', async () => {
    const metrics = createMetrics();
    metrics.onScrape(() => {
      throw new Error('no gauge today');
    });
    await start(undefined, metrics);
    expect(await get('/metrics')).toMatchObject({ code: 500, body: 'internal error\n' });
    expect((await get('/healthz')).code).toBe(200);
  });

  it('takes over the socket of a process that was killed, but not one that somebody uses', async () => {
    const path = socketPath();
    const listening = "require('net').createServer().listen(process.argv[1], () => console.log('listening'))";
    const other = spawn(process.execPath, ['-e', listening, path], { stdio: ['ignore', 'pipe', 'inherit'] });
    await once(other.stdout, 'data');
    const config = { httpAddress: `unix:${path}`, authToken: undefined };
    server = createHttpServer({ config, metrics: createMetrics(), health, logger });
    await expect(server.listen()).rejects.toThrow('EADDRINUSE');
    other.kill('SIGKILL');
    await once(other, 'exit');
    expect(await start()).toBe(`unix:${path}`);
    expect((await get('/healthz')).code).toBe(200);
  });

  it('names the port that it was given', async () => {
    const config = { httpAddress: '127.0.0.1:0', authToken: undefined };
    server = createHttpServer({ config, metrics: createMetrics(), health, logger });
    expect(await server.listen()).toMatch(/^127\.0\.0\.1:[1-9]\d*$/);
  });
});
