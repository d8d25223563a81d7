/** What callers of a sidecar use in their own programs: `import { countCharacters } from 'drawdown/client'`. */
export { type CharacterCounting, type CharacterUnit, countCharacters } from './count-characters.js';
