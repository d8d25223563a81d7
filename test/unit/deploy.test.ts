import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadConfig, settingRows } from '../../src/config.js';
import { packageRoot } from '../../src/paths.js';

interface Service {
  image: string;
  build?: string;
  command?: string[];
  environment?: Record<string, string>;
  ports?: string[];
  healthcheck?: { test: string[] };
  depends_on?: Record<string, { condition: string }>;
  volumes?: string[];
}

function read(file: string): string {
  return readFileSync(join(packageRoot, file), 'utf8');
}

const compose = parse(read('docker-compose.yml')) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);

function service(name: string): Service {
  const found = compose.services[name];
  if (found === undefined) {
    throw new Error(`docker-compose.yml has no service ${name}`);
  }
  return found;
}

test('compose has the sidecar, its stores and a Prometheus, each with a health check', () => {
  expect(services.map(([name]) => name).sort()).toEqual(['drawdown', 'postgres', 'prometheus', 'redis']);
  for (const [name, { healthcheck }] of services) {
    expect(healthcheck?.test?.length, name).toBeGreaterThan(1);
  }
});

test('compose opens no port to other machines', () => {
  const ports = services.flatMap(([, { ports }]) => ports ?? []);
  expect(ports.length).toBeGreaterThan(0);
  expect(ports.filter((port) => !port.startsWith('127.0.0.1:'))).toEqual([]);
});

test('the Redis of compose keeps everything and evicts nothing', () => {
  const command = (service('redis').command ?? []).join(' ');
  expect(command).toContain('--appendonly yes');
  expect(command).toContain('--maxmemory-policy noeviction');
  expect(service('redis').volumes).toContain('redis-data:/data');
});

test('the sidecar starts after its stores are healthy', () => {
  expect(service('drawdown').depends_on).toEqual({
    redis: { condition: 'service_healthy' },
    postgres: { condition: 'service_healthy' },
  });
});

test('the token of the sidecar is required, and with it the configuration is accepted', () => {
  const given = service('drawdown').environment ?? {};
  expect(given.DRAWDOWN_AUTH_TOKEN).toMatch(/^\$\{DRAWDOWN_AUTH_TOKEN:\?.+\}$/);
  const environment = { ...given, DRAWDOWN_AUTH_TOKEN: 'a-secret-of-more-than-16-letters' };
  expect(loadConfig({ environment }).grpcAddress).toBe('0.0.0.0:50051');
  expect(() => loadConfig({ environment: { ...given, DRAWDOWN_AUTH_TOKEN: '' } })).toThrow('authToken');
});

test('compose waits longer than the sidecar drains', () => {
  const drainMs = settingRows().find((row) => row.name === 'drainTimeoutMs')?.default as number;
  const { stop_grace_period: grace } = service('drawdown') as Service & { stop_grace_period: string };
  expect(Number.parseInt(grace, 10) * 1_000).toBeGreaterThan(drainMs);
});

test('every named volume exists', () => {
  const named = services
    .flatMap(([, { volumes }]) => volumes ?? [])
    .filter((volume) => !volume.startsWith('.'));
  expect(named.map((volume) => volume.split(':')[0]).sort()).toEqual(Object.keys(compose.volumes).sort());
});

test('Prometheus scrapes the sidecar with the token', () => {
  const prometheus = parse(read('deploy/prometheus.yml'));
  expect(prometheus.scrape_configs).toEqual([
    expect.objectContaining({
      static_configs: [{ targets: ['drawdown:9464'] }],
      authorization: { type: 'Bearer', credentials_file: '/run/secrets/drawdown_auth_token' },
    }),
  ]);
});

test('the image runs as an ordinary user, without optional packages, and holds what is read at run time', () => {
  const lines = read('Dockerfile').split('\n');
  const last = lines.slice(lines.findLastIndex((line) => line.startsWith('FROM')));
  expect(last).toContain('USER node');
  expect(last).toContain('COPY --from=modules /app/node_modules ./node_modules');
  expect(lines).toContain('RUN npm ci --omit=dev --omit=optional --ignore-scripts');
  for (const needed of ['proto', 'lua', 'catalog.yaml', 'src/postgres/migrations']) {
    expect(
      last.some((line) => line.startsWith('COPY') && line.includes(needed)),
      needed,
    ).toBe(true);
  }
});
