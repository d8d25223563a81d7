/** What networks do between each two that talk. */
import type { SeededRandom } from '../../helpers/until.js';
import { CLIENTS, type Cluster, SIDECARS } from '../cluster.js';
import type { Cut, Link } from '../link.js';
import type { Fault, Needs } from './fault.js';

interface Between {
  readonly name: string;
  readonly words: string;
  readonly count: number;
  readonly link: (cluster: Cluster, place: number) => Link;
  /** Carries work, so that a reply to it tells of something that was done. */
  readonly isWork: (piece: Buffer) => boolean;
}

const betweens: readonly Between[] = [
  {
    name: 'client',
    words: 'a client and a sidecar',
    count: CLIENTS * SIDECARS,
    link: ({ links }, place) => links.clients[Math.floor(place / SIDECARS)]?.[place % SIDECARS] as Link,
    isWork: () => true,
  },
  {
    name: 'redis',
    words: 'a sidecar and Redis',
    count: SIDECARS,
    link: ({ links }, place) => links.redis[place] as Link,
    isWork: (piece) => /evalsha/i.test(piece.toString('latin1')),
  },
  {
    name: 'postgres',
    words: 'a sidecar and Postgres',
    count: SIDECARS,
    link: ({ links }, place) => links.postgres[place] as Link,
    isWork: () => true,
  },
];

/** Longer than the pause between two flushes, scripts or requests under load: where nothing comes by, nobody works. */
const TRAP_MAX_MS = 3_000;

async function trapped(link: Link, isMeant: (piece: Buffer) => boolean, cut: Cut): Promise<boolean> {
  const sprung = link.trap(isMeant, cut).then(() => true);
  let timer: NodeJS.Timeout | undefined;
  const inVain = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), TRAP_MAX_MS);
  });
  const hasFired = await Promise.race([sprung, inVain]);
  clearTimeout(timer);
  link.heal();
  return hasFired;
}

function needsOf({ name, count }: Between): (random: SeededRandom) => Needs {
  return (random) => {
    const place = random.between(0, count - 1);
    return { locks: [`link-${name}-${place}`], place };
  };
}

function faultsBetween(between: Between): Fault[] {
  const { name, words, link: linkOf, isWork } = between;
  const needs = needsOf(between);
  return [
    {
      kind: `${name}_delayed`,
      what: `everything between ${words} takes up to 400 ms longer`,
      needs,
      async play({ cluster, random, lasts }, place) {
        const link = linkOf(cluster, place);
        link.delay(random.between(20, 400));
        await lasts(300, 1_500);
        link.heal();
        return link.connections > 0;
      },
    },
    {
      kind: `${name}_reply_lost`,
      what: `a request arrives, its reply is lost with the connection, between ${words}`,
      needs,
      play: ({ cluster }, place) => trapped(linkOf(cluster, place), isWork, 'after'),
    },
    {
      kind: `${name}_half_closed`,
      what: `one direction between ${words} is closed`,
      needs,
      async play({ cluster, random, lasts }, place) {
        const link = linkOf(cluster, place);
        const isThere = link.connections > 0;
        link.halfClose(random.pick(['near', 'far']));
        await lasts(0, 300);
        link.reset();
        return isThere;
      },
    },
    {
      kind: `${name}_silent`,
      what: `nothing arrives between ${words}, and nobody is told`,
      needs,
      async play({ cluster, lasts }, place) {
        const link = linkOf(cluster, place);
        const isThere = link.connections > 0;
        link.silence();
        await lasts(200, 2_500);
        link.heal();
        return isThere;
      },
    },
    {
      kind: `${name}_reset`,
      what: `connections between ${words} are reset`,
      needs,
      async play({ cluster, lasts }, place) {
        const link = linkOf(cluster, place);
        const isThere = link.connections > 0;
        link.reset();
        await lasts(0, 200);
        return isThere;
      },
    },
  ];
}

const postgresBetween = betweens[2] as Between;
const isCommit = (piece: Buffer): boolean => piece.includes('COMMIT\0');

const commitFaults: readonly Fault[] = (['before', 'after'] as const).map((cut) => ({
  kind: `commit_cut_${cut}`,
  what:
    cut === 'before'
      ? 'the connection to Postgres is cut when COMMIT is sent: it does not arrive'
      : 'the connection to Postgres is cut when COMMIT was carried out: its answer is lost',
  needs: needsOf(postgresBetween),
  play: ({ cluster }, place) => trapped(postgresBetween.link(cluster, place), isCommit, cut),
}));

export const networkFaults: readonly Fault[] = [...betweens.flatMap(faultsBetween), ...commitFaults];
