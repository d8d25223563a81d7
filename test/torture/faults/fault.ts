import type { SeededRandom } from '../../helpers/until.js';
import type { Cluster } from '../cluster.js';

/** What a fault is played on. */
export interface Scene {
  readonly cluster: Cluster;
  readonly random: SeededRandom;
  /** The fault lasts for so long, by chance between the two. */
  lasts(minMs: number, maxMs: number): Promise<void>;
}

export interface Fault {
  readonly kind: string;
  /** For --help and the docs. */
  readonly what: string;
  /** May Redis have lost what was applied and not durable, under this appendfsync? */
  readonly losesRedis?: 'always' | 'everysec';
  /** Why it cannot be played here; null: it can. */
  readonly problem?: (cluster: Cluster) => string | null;
  /** What no other fault may touch meanwhile. */
  readonly needs: (random: SeededRandom) => Needs;
  /** Breaks it, waits, heals it. False: there was nothing to break, so it does not count. */
  readonly play: (scene: Scene, place: number) => Promise<boolean>;
}

export interface Needs {
  readonly locks: readonly string[];
  /** Which of the places where it can happen. */
  readonly place: number;
}

/** A fault of the one Redis or the one Postgres. */
export const needsRedis = (): Needs => ({ locks: ['redis'], place: 0 });
export const needsPostgres = (): Needs => ({ locks: ['postgres'], place: 0 });
