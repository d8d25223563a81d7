import { lstatSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { parseAddress } from '../settings.js';

/**
 * Removes the socket file that a killed process left behind, so that the next one can listen there. Only a socket that
 * refuses connections is stale; one that somebody listens on stays, and so does whatever is not a socket.
 */
export async function removeStaleSocket(address: string): Promise<void> {
  const parsed = parseAddress(address);
  if (parsed?.kind !== 'unix') return;
  const { path } = parsed;
  if (!lstatSync(path, { throwIfNoEntry: false })?.isSocket()) return;
  if (await refusesConnections(path)) unlinkSync(path);
}

function refusesConnections(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ path });
    socket.once('connect', () => {
      socket.destroy();
      resolve(false);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
  });
}
