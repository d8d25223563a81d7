import type { Fault } from './fault.js';
import { networkFaults } from './network.js';
import { processFaults } from './processes.js';
import { storeFaults } from './stores.js';

export type { Fault } from './fault.js';

export const FAULTS: readonly Fault[] = [...processFaults, ...networkFaults, ...storeFaults];
