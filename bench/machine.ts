import { execFileSync } from 'node:child_process';
import { arch, cpus, release, totalmem, type } from 'node:os';

export interface Machine {
  readonly cores: number;
  readonly processor: string;
  readonly memoryGigabytes: number;
  readonly system: string;
  readonly node: string;
  readonly redis: string;
}

export function describeMachine(): Machine {
  const all = cpus();
  return {
    cores: all.length,
    processor: all[0]?.model.trim() ?? 'unknown',
    memoryGigabytes: Math.round(totalmem() / 2 ** 30),
    system: `${type()} ${release()} ${arch()}`,
    node: process.version,
    redis: redisVersion(),
  };
}

function redisVersion(): string {
  for (const program of ['redis-server', 'valkey-server']) {
    try {
      const text = execFileSync(program, ['--version'], { encoding: 'utf8' });
      return `${program} ${/v=(\S+)/.exec(text)?.[1] ?? '?'}`;
    } catch {
      // The other one, then.
    }
  }
  return 'unknown';
}
