/** What callers of a sidecar use in their own programs: `import { Meter } from 'drawdown/client'`. */
export type { CallLimits } from './call-limits.js';
export { type CharacterCounting, type CharacterUnit, countCharacters } from './count-characters.js';
export { type ClientReason, MeterError, type MeterErrorReason } from './errors.js';
export { type CloseReport, Meter, type MeterOptions, type UnaryOptions } from './meter.js';
export type { RecordOptions } from './recorder.js';
export type { WhenFull } from './room.js';
export type * from './session-types.js';
export type * from './types.js';
export type { WhenUnavailable } from './unavailable-policy.js';
export {
  type AnthropicUsage,
  anthropicQuantities,
  type GeminiUsageMetadata,
  geminiQuantities,
  type OpenAiChatUsage,
  type OpenAiResponsesUsage,
  openAiChatQuantities,
  openAiResponsesQuantities,
  type TokenQuantities,
} from './vendor-usage.js';
