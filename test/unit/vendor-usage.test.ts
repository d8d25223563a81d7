import fc from 'fast-check';
import { describe, expect, it, test } from 'vitest';
import {
  anthropicQuantities,
  geminiQuantities,
  openAiChatQuantities,
  openAiResponsesQuantities,
} from '../../src/client/index.js';

/** Usage objects as vendors document them, fields included that mean nothing here. */

describe('OpenAI chat completions', () => {
  const usage = {
    prompt_tokens: 1_117,
    completion_tokens: 546,
    total_tokens: 1_663,
    prompt_tokens_details: { cached_tokens: 1_024, audio_tokens: 0 },
    completion_tokens_details: {
      reasoning_tokens: 448,
      audio_tokens: 0,
      accepted_prediction_tokens: 0,
      rejected_prediction_tokens: 0,
    },
  };

  it('cached and reasoning tokens are parts of the totals', () => {
    expect(openAiChatQuantities(usage)).toEqual({
      input_tokens: 1_117,
      cached_input_tokens: 1_024,
      output_tokens: 546,
      reasoning_tokens: 448,
    });
  });

  it('audio in and out, and tokens written to the cache, are parts too', () => {
    expect(
      openAiChatQuantities({
        prompt_tokens: 400,
        completion_tokens: 150,
        prompt_tokens_details: { audio_tokens: 120, cached_tokens: 0, cache_write_tokens: 200 },
        completion_tokens_details: { audio_tokens: 110, reasoning_tokens: 0 },
      }),
    ).toEqual({
      input_tokens: 400,
      cache_write_tokens: 200,
      input_audio_tokens: 120,
      output_tokens: 150,
      audio_tokens: 110,
    });
  });

  it('audio that was cached is cached', () => {
    expect(
      openAiChatQuantities({
        prompt_tokens: 400,
        completion_tokens: 0,
        prompt_tokens_details: { audio_tokens: 120, cached_tokens: 384 },
      }),
    ).toEqual({ input_tokens: 400, cached_input_tokens: 384, input_audio_tokens: 16, output_tokens: 0 });
  });

  it('details may be missing or null', () => {
    const quantities = { input_tokens: 9, output_tokens: 12 };
    expect(openAiChatQuantities({ prompt_tokens: 9, completion_tokens: 12 })).toEqual(quantities);
    expect(
      openAiChatQuantities({
        prompt_tokens: 9,
        completion_tokens: 12,
        prompt_tokens_details: null,
        completion_tokens_details: { reasoning_tokens: null },
      }),
    ).toEqual(quantities);
  });

  it.each([
    [{}, 'prompt_tokens'],
    [{ prompt_tokens: 1 }, 'completion_tokens'],
    [{ ...usage, prompt_tokens: null }, 'prompt_tokens'],
    [{ ...usage, completion_tokens: Number.NaN }, 'completion_tokens'],
    [{ ...usage, completion_tokens: -1 }, 'completion_tokens'],
    [{ ...usage, completion_tokens: 1.5 }, 'completion_tokens'],
    [{ ...usage, completion_tokens: '7' as unknown as number }, 'completion_tokens'],
    [{ ...usage, prompt_tokens_details: { cached_tokens: -3 } }, 'prompt_tokens_details.cached_tokens'],
    [{ ...usage, prompt_tokens_details: { cached_tokens: 1_118 } }, 'input'],
    [{ ...usage, prompt_tokens_details: { audio_tokens: 1_118 } }, 'input'],
    [{ ...usage, completion_tokens_details: { reasoning_tokens: 547 } }, 'output'],
  ])('%j is an error that names %s', (broken, field) => {
    expect(() => openAiChatQuantities(broken)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT', reason: 'USAGE_INVALID', field }),
    );
  });
});

test('OpenAI responses: cached and reasoning tokens are parts of the totals', () => {
  expect(
    openAiResponsesQuantities({
      input_tokens: 2_006,
      input_tokens_details: { cached_tokens: 1_920, cache_write_tokens: 50 },
      output_tokens: 300,
      output_tokens_details: { reasoning_tokens: 128 },
      total_tokens: 2_306,
    } as Parameters<typeof openAiResponsesQuantities>[0]),
  ).toEqual({
    input_tokens: 2_006,
    cached_input_tokens: 1_920,
    cache_write_tokens: 50,
    output_tokens: 300,
    reasoning_tokens: 128,
  });
  expect(() => openAiResponsesQuantities({ input_tokens: 1 })).toThrow(/output_tokens is missing/);
});

describe('Anthropic messages', () => {
  const message = {
    input_tokens: 2_095,
    cache_creation_input_tokens: 2_051,
    cache_read_input_tokens: 4_096,
    cache_creation: { ephemeral_5m_input_tokens: 2_051, ephemeral_1h_input_tokens: 0 },
    output_tokens: 503,
    server_tool_use: { web_search_requests: 0 },
    service_tier: 'standard',
  };

  it('what was read from and written to the cache is added to the input', () => {
    expect(anthropicQuantities(message)).toEqual({
      input_tokens: 8_242,
      cached_input_tokens: 4_096,
      cache_write_tokens: 2_051,
      output_tokens: 503,
    });
  });

  it('thinking is a part of the output', () => {
    const usage = { ...message, output_tokens_details: { thinking_tokens: 400 } };
    expect(anthropicQuantities(usage)).toMatchObject({ output_tokens: 503, reasoning_tokens: 400 });
  });

  it('of a stream the last counts stand: they are cumulative', () => {
    const start = { ...message, output_tokens: 1 };
    expect(anthropicQuantities(start, { output_tokens: 15 })).toMatchObject({
      input_tokens: 8_242,
      output_tokens: 15,
    });
    const delta = {
      input_tokens: 10_682,
      cache_creation_input_tokens: null,
      cache_read_input_tokens: 0,
      output_tokens: 510,
    };
    expect(anthropicQuantities(start, { output_tokens: 15 }, delta)).toEqual({
      input_tokens: 12_733,
      cache_write_tokens: 2_051,
      output_tokens: 510,
    });
  });

  it('a stream that broke after its start has what the start says', () => {
    expect(anthropicQuantities({ input_tokens: 25, output_tokens: 1 })).toEqual({
      input_tokens: 25,
      output_tokens: 1,
    });
    expect(() => anthropicQuantities({ output_tokens: 15 })).toThrow(/input_tokens is missing/);
    expect(() => anthropicQuantities()).toThrow(/input_tokens is missing/);
  });
});

describe('Gemini generateContent', () => {
  it('thoughts are added to the output, results of tools to the input', () => {
    expect(
      geminiQuantities({
        promptTokenCount: 1_500,
        cachedContentTokenCount: 1_000,
        candidatesTokenCount: 90,
        thoughtsTokenCount: 300,
        toolUsePromptTokenCount: 70,
        totalTokenCount: 1_960,
        promptTokensDetails: [{ modality: 'TEXT', tokenCount: 1_500 }],
        candidatesTokensDetails: [{ modality: 'TEXT', tokenCount: 90 }],
        trafficType: 'ON_DEMAND',
      } as Parameters<typeof geminiQuantities>[0]),
    ).toEqual({
      input_tokens: 1_570,
      cached_input_tokens: 1_000,
      output_tokens: 390,
      reasoning_tokens: 300,
    });
  });

  it('audio is counted by modality, the cached part of it as cached', () => {
    expect(
      geminiQuantities({
        promptTokenCount: 500,
        cachedContentTokenCount: 300,
        candidatesTokenCount: 80,
        promptTokensDetails: [
          { modality: 'TEXT', tokenCount: 100 },
          { modality: 'AUDIO', tokenCount: 400 },
        ],
        cacheTokensDetails: [{ modality: 'AUDIO', tokenCount: 300 }],
        candidatesTokensDetails: [{ modality: 'AUDIO', tokenCount: 80 }],
      }),
    ).toEqual({
      input_tokens: 500,
      cached_input_tokens: 300,
      input_audio_tokens: 100,
      output_tokens: 80,
      audio_tokens: 80,
    });
  });

  it('a blocked answer has no output', () => {
    expect(geminiQuantities({ promptTokenCount: 12 })).toEqual({ input_tokens: 12, output_tokens: 0 });
    expect(() => geminiQuantities({ candidatesTokenCount: 12 })).toThrow(/promptTokenCount is missing/);
  });
});

test('whatever a vendor sends, quantities are whole, not negative, and parts fit into their totals', () => {
  const count = fc.oneof(
    fc.integer({ min: -2, max: 50 }),
    fc.constantFrom(undefined, null, Number.NaN, 1.5, Number.MAX_SAFE_INTEGER, '5' as unknown as number),
  );
  const details = fc
    .constantFrom('TEXT', 'AUDIO')
    .chain((modality) =>
      fc.array(fc.record({ modality: fc.constant(modality), tokenCount: count }), { maxLength: 2 }),
    );
  const any = [
    [
      openAiChatQuantities,
      fc.record({
        prompt_tokens: count,
        completion_tokens: count,
        prompt_tokens_details: fc.record({
          cached_tokens: count,
          cache_write_tokens: count,
          audio_tokens: count,
        }),
        completion_tokens_details: fc.record({ reasoning_tokens: count, audio_tokens: count }),
      }),
    ],
    [
      anthropicQuantities,
      fc.record({
        input_tokens: count,
        output_tokens: count,
        cache_read_input_tokens: count,
        cache_creation_input_tokens: count,
      }),
    ],
    [
      geminiQuantities,
      fc.record({
        promptTokenCount: count,
        candidatesTokenCount: count,
        thoughtsTokenCount: count,
        cachedContentTokenCount: count,
        promptTokensDetails: details,
        cacheTokensDetails: details,
        candidatesTokensDetails: details,
      }),
    ],
  ] as unknown as [(usage: object) => Record<string, number>, fc.Arbitrary<object>][];
  for (const [normalise, arbitrary] of any) {
    fc.assert(
      fc.property(arbitrary, (usage) => {
        let found: Record<string, number>;
        try {
          found = normalise(usage);
        } catch (error) {
          expect(error).toMatchObject({ reason: 'USAGE_INVALID' });
          return;
        }
        for (const value of Object.values(found))
          expect(Number.isSafeInteger(value) && value >= 0).toBe(true);
        const of = (...names: string[]): number => names.reduce((sum, name) => sum + (found[name] ?? 0), 0);
        expect(of('cached_input_tokens', 'cache_write_tokens', 'input_audio_tokens')).toBeLessThanOrEqual(
          of('input_tokens'),
        );
        expect(of('reasoning_tokens', 'audio_tokens')).toBeLessThanOrEqual(of('output_tokens'));
      }),
    );
  }
});
