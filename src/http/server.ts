import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Logger } from 'pino';
import type { Config } from '../config.js';
import { bearerCheck } from '../grpc/auth.js';
import type { Health } from '../grpc/health.js';
import { removeStaleSocket } from '../grpc/socket-file.js';
import type { Metrics } from '../metrics.js';
import { parseAddress } from '../settings.js';

/**
 * Metrics and health over HTTP, for Prometheus and for whoever restarts things.
 *
 *   /metrics  Prometheus' text format. Needs the bearer token where one is configured; without a token only this machine
 *             can reach the address (src/config.ts).
 *   /healthz  Liveness: 200 while the process answers, whatever the stores do. Never needs the token.
 *   /readyz   Readiness: 200, or 503 with the reasons, as JSON; warnings are no reason. Never needs the token.
 *
 * GET and HEAD only; request bodies are not read.
 */

/** Requests are three lines long and come from the neighbourhood: whoever needs longer is not a scraper. */
const requestTimeoutMs = 5_000;

/** An idle scraper keeps its connection between two scrapes at common intervals. */
const keepAliveMs = 65_000;

/** Scrapers and probes are a handful; this only bounds what a stranger can open. */
const connectionsMax = 100;

const headerBytesMax = 8 * 1024;

export interface HttpServerOptions {
  readonly config: Pick<Config, 'httpAddress' | 'authToken'>;
  readonly metrics: Pick<Metrics, 'render' | 'contentType'>;
  readonly health: Pick<Health, 'now'>;
  readonly logger: Logger;
}

export interface HttpServer {
  /** Starts to listen and returns the address in the form of the setting, with the port that was given for port 0. */
  listen(): Promise<string>;
  stop(): Promise<void>;
}

interface Answer {
  readonly code: number;
  readonly body: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export function createHttpServer(options: HttpServerOptions): HttpServer {
  const isAuthorized = bearerCheck(options.config.authToken);
  const server = createServer(
    {
      maxHeaderSize: headerBytesMax,
      headersTimeout: requestTimeoutMs,
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: keepAliveMs,
    },
    (request, response) => {
      answer(options, isAuthorized, request).then(
        (result) => send(request, response, result),
        (error: unknown) => {
          options.logger.error(
            { stack: error instanceof Error ? error.stack : undefined },
            'An HTTP request failed',
          );
          send(request, response, { code: 500, body: 'internal error\n' });
        },
      );
    },
  );
  server.maxConnections = connectionsMax;
  return {
    listen: () => listen(server, options.config.httpAddress),
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  { metrics, health }: HttpServerOptions,
  isAuthorized: (header: string | undefined) => boolean,
  request: IncomingMessage,
): Promise<Answer> {
  const path = (request.url ?? '').split('?', 1)[0];
  if (path !== '/metrics' && path !== '/healthz' && path !== '/readyz') {
    return { code: 404, body: 'not found: /metrics, /healthz and /readyz are here\n' };
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') {
    return { code: 405, body: 'GET and HEAD only\n', headers: { allow: 'GET, HEAD' } };
  }
  if (path === '/healthz') return { code: 200, body: 'ok\n' };
  if (path === '/readyz') {
    const readiness = health.now();
    const body = `${JSON.stringify(readiness)}\n`;
    return { code: readiness.ready ? 200 : 503, body, headers: { 'content-type': 'application/json' } };
  }
  if (!isAuthorized(request.headers.authorization)) {
    return { code: 401, body: 'a bearer token is needed\n', headers: { 'www-authenticate': 'Bearer' } };
  }
  return { code: 200, body: await metrics.render(), headers: { 'content-type': metrics.contentType } };
}

function send(request: IncomingMessage, response: ServerResponse, { code, body, headers }: Answer): void {
  response.writeHead(code, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    // What is left of a body is not read, so the connection cannot be used again.
    ...(request.method === 'GET' || request.method === 'HEAD' ? {} : { connection: 'close' }),
    ...headers,
  });
  response.end(request.method === 'HEAD' ? undefined : body);
}

async function listen(server: Server, address: string): Promise<string> {
  const parsed = parseAddress(address);
  if (parsed === undefined) throw new Error(`HTTP cannot listen on ${address}`);
  await removeStaleSocket(address);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`HTTP cannot listen on ${address}: ${error.message}`)));
    const target = parsed.kind === 'unix' ? { path: parsed.path } : { host: parsed.host, port: parsed.port };
    server.listen(target, () => resolve());
  });
  if (parsed.kind === 'unix') return address;
  return `${address.slice(0, address.lastIndexOf(':'))}:${(server.address() as AddressInfo).port}`;
}
