import { MeterError } from './errors.js';

/**
 * The usage objects of vendors as quantities of the meter `llm`: input includes cached input, output includes reasoning, and the
 * parts of one quantity do not overlap. docs/client.md has the tables. What a vendor adds that is not known here is ignored; what is
 * missing and must be there, is no whole number, or contradicts the rest is an error that names the field.
 */

export type TokenQuantities = Readonly<Record<string, number>>;

type Count = number | null | undefined;

/** `usage` of an OpenAI chat completion, or of the last chunk of a stream that was asked for it (`include_usage`). */
export interface OpenAiChatUsage {
  readonly prompt_tokens?: Count;
  readonly completion_tokens?: Count;
  readonly prompt_tokens_details?: {
    readonly cached_tokens?: Count;
    readonly cache_write_tokens?: Count;
    readonly audio_tokens?: Count;
  } | null;
  readonly completion_tokens_details?: {
    readonly reasoning_tokens?: Count;
    readonly audio_tokens?: Count;
  } | null;
}

export function openAiChatQuantities(usage: OpenAiChatUsage): TokenQuantities {
  const input = needed(usage.prompt_tokens, 'prompt_tokens');
  const output = needed(usage.completion_tokens, 'completion_tokens');
  const inputDetails = usage.prompt_tokens_details;
  const outputDetails = usage.completion_tokens_details;
  return quantities({
    input,
    cached: optional(inputDetails?.cached_tokens, 'prompt_tokens_details.cached_tokens'),
    cacheWrite: optional(inputDetails?.cache_write_tokens, 'prompt_tokens_details.cache_write_tokens'),
    inputAudio: optional(inputDetails?.audio_tokens, 'prompt_tokens_details.audio_tokens'),
    output,
    reasoning: optional(outputDetails?.reasoning_tokens, 'completion_tokens_details.reasoning_tokens'),
    outputAudio: optional(outputDetails?.audio_tokens, 'completion_tokens_details.audio_tokens'),
  });
}

/** `usage` of an OpenAI response, or of `response` in the event `response.completed` (or `response.incomplete`) of a stream. */
export interface OpenAiResponsesUsage {
  readonly input_tokens?: Count;
  readonly output_tokens?: Count;
  readonly input_tokens_details?: {
    readonly cached_tokens?: Count;
    readonly cache_write_tokens?: Count;
  } | null;
  readonly output_tokens_details?: { readonly reasoning_tokens?: Count } | null;
}

export function openAiResponsesQuantities(usage: OpenAiResponsesUsage): TokenQuantities {
  const input = needed(usage.input_tokens, 'input_tokens');
  const output = needed(usage.output_tokens, 'output_tokens');
  const inputDetails = usage.input_tokens_details;
  const outputDetails = usage.output_tokens_details;
  return quantities({
    input,
    cached: optional(inputDetails?.cached_tokens, 'input_tokens_details.cached_tokens'),
    cacheWrite: optional(inputDetails?.cache_write_tokens, 'input_tokens_details.cache_write_tokens'),
    inputAudio: 0,
    output,
    reasoning: optional(outputDetails?.reasoning_tokens, 'output_tokens_details.reasoning_tokens'),
    outputAudio: 0,
  });
}

/** `usage` of an Anthropic message, of `message` in `message_start`, or of `message_delta`. */
export interface AnthropicUsage {
  readonly input_tokens?: Count;
  readonly cache_read_input_tokens?: Count;
  readonly cache_creation_input_tokens?: Count;
  readonly output_tokens?: Count;
  readonly output_tokens_details?: { readonly thinking_tokens?: Count } | null;
}

/**
 * Takes the usage of a message, or those of a stream in their order: of `message_start`, then of every `message_delta`. Counts are
 * cumulative, so a later one stands for an earlier one.
 */
export function anthropicQuantities(...usages: readonly AnthropicUsage[]): TokenQuantities {
  const last = (name: Exclude<keyof AnthropicUsage, 'output_tokens_details'>): Count =>
    usages.findLast((usage) => usage[name] != null)?.[name];
  const thinking = usages.findLast((usage) => usage.output_tokens_details?.thinking_tokens != null);
  const cached = optional(last('cache_read_input_tokens'), 'cache_read_input_tokens');
  const cacheWrite = optional(last('cache_creation_input_tokens'), 'cache_creation_input_tokens');
  return quantities({
    // Anthropic counts the three apart.
    input: needed(last('input_tokens'), 'input_tokens') + cached + cacheWrite,
    cached,
    cacheWrite,
    inputAudio: 0,
    output: needed(last('output_tokens'), 'output_tokens'),
    reasoning: optional(
      thinking?.output_tokens_details?.thinking_tokens,
      'output_tokens_details.thinking_tokens',
    ),
    outputAudio: 0,
  });
}

interface ModalityTokenCount {
  readonly modality?: string | null;
  readonly tokenCount?: Count;
}

type ModalityTokenCounts = readonly ModalityTokenCount[] | null | undefined;

/** `usageMetadata` of Gemini's generateContent; of a stream, that of the last chunk. */
export interface GeminiUsageMetadata {
  readonly promptTokenCount?: Count;
  readonly toolUsePromptTokenCount?: Count;
  readonly cachedContentTokenCount?: Count;
  readonly candidatesTokenCount?: Count;
  readonly thoughtsTokenCount?: Count;
  readonly promptTokensDetails?: ModalityTokenCounts;
  readonly toolUsePromptTokensDetails?: ModalityTokenCounts;
  readonly cacheTokensDetails?: ModalityTokenCounts;
  readonly candidatesTokensDetails?: ModalityTokenCounts;
}

export function geminiQuantities(usage: GeminiUsageMetadata): TokenQuantities {
  const thoughts = optional(usage.thoughtsTokenCount, 'thoughtsTokenCount');
  const heard =
    audioOf(usage.promptTokensDetails, 'promptTokensDetails') +
    audioOf(usage.toolUsePromptTokensDetails, 'toolUsePromptTokensDetails');
  const heardCached = audioOf(usage.cacheTokensDetails, 'cacheTokensDetails');
  return quantities({
    // Results of tools are no part of the prompt's count.
    input:
      needed(usage.promptTokenCount, 'promptTokenCount') +
      optional(usage.toolUsePromptTokenCount, 'toolUsePromptTokenCount'),
    cached: optional(usage.cachedContentTokenCount, 'cachedContentTokenCount'),
    cacheWrite: 0,
    inputAudio: Math.max(0, heard - heardCached),
    // Thoughts are no part of the candidates' count. Gemini leaves a count of 0 out: a blocked answer has none.
    output: optional(usage.candidatesTokenCount, 'candidatesTokenCount') + thoughts,
    reasoning: thoughts,
    outputAudio: audioOf(usage.candidatesTokensDetails, 'candidatesTokensDetails'),
  });
}

function audioOf(details: ModalityTokenCounts, field: string): number {
  let sum = 0;
  for (const { modality, tokenCount } of details ?? []) {
    if (modality === 'AUDIO') sum += optional(tokenCount, `${field}.tokenCount`);
  }
  return sum;
}

interface Tokens {
  readonly input: number;
  readonly cached: number;
  readonly cacheWrite: number;
  readonly inputAudio: number;
  readonly output: number;
  readonly reasoning: number;
  readonly outputAudio: number;
}

/** Parts of 0 are left out. */
function quantities(tokens: Tokens): TokenQuantities {
  const { input, cached, cacheWrite, output, reasoning, outputAudio } = tokens;
  if (tokens.inputAudio > input || cached + cacheWrite > input) throw contradiction('input', input);
  if (reasoning + outputAudio > output) throw contradiction('output', output);
  // Where a vendor does not say which of the cached tokens were audio, those that have no other place were: cached comes first.
  const inputAudio = Math.min(tokens.inputAudio, input - cached - cacheWrite);
  const parts = {
    cached_input_tokens: cached,
    cache_write_tokens: cacheWrite,
    input_audio_tokens: inputAudio,
    reasoning_tokens: reasoning,
    audio_tokens: outputAudio,
  };
  return {
    input_tokens: input,
    output_tokens: output,
    ...Object.fromEntries(Object.entries(parts).filter(([, count]) => count > 0)),
  };
}

function needed(count: Count, field: string): number {
  if (count == null) throw usageInvalid(field, 'is missing');
  return optional(count, field);
}

/** Not said is none. */
function optional(count: Count, field: string): number {
  if (count == null) return 0;
  if (!Number.isSafeInteger(count) || count < 0 || count > countMax) {
    throw usageInvalid(field, `must be a whole number from 0 to ${countMax}, not ${String(count)}`);
  }
  return count;
}

/** A thousand million million tokens: no request has so many, and eight of them are below 2^53. */
const countMax = 1_000_000_000_000_000;

function contradiction(what: 'input' | 'output', total: number): MeterError {
  return usageInvalid(what, `has parts that are more than its total of ${total}`);
}

function usageInvalid(field: string, problem: string): MeterError {
  return new MeterError('INVALID_ARGUMENT', `The vendor's usage: ${field} ${problem}`, {
    reason: 'USAGE_INVALID',
    field,
  });
}
