import { createHash, timingSafeEqual } from 'node:crypto';

const scheme = /^Bearer +(\S+)$/i;

/**
 * Returns the check of an `authorization` header against the one configured token; without a token everything passes,
 * because then only loopback and unix sockets are listened on (src/config.ts). Digests are compared, so neither
 * content nor length shows in the time it takes.
 */
export function bearerCheck(token: string | undefined): (header: string | undefined) => boolean {
  if (token === undefined) return () => true;
  const wanted = digest(token);
  return (header) => {
    const given = scheme.exec(header ?? '')?.[1];
    return given !== undefined && timingSafeEqual(digest(given), wanted);
  };
}

function digest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}
