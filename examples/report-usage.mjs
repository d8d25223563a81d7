// An LLM gateway that reports finished usage: what vendors answered with becomes events, recorded once whatever breaks.
//
//   node examples/report-usage.mjs [address] [account]
//
// needs a sidecar (npm start) and an account with credits:
//   npx drawdown account create demo && npx drawdown account topup demo --credits 10
import {
  anthropicQuantities,
  geminiQuantities,
  Meter,
  openAiChatQuantities,
  openAiResponsesQuantities,
} from 'drawdown/client';

const [address = '127.0.0.1:50051', accountId = 'demo'] = process.argv.slice(2);

const meter = new Meter({
  addresses: [address],
  onLost: (lost) => console.error('not booked, look into it:', lost),
  onDisconnect: (error) => console.error(`a stream broke (${error.code}), going on`),
});

/** What upstreams answered, in a real gateway one by one. The id is the request's own, so a retry is charged once. */
const answers = [
  {
    id: 'request-1',
    model: 'gpt-4o-mini',
    quantities: openAiChatQuantities({
      prompt_tokens: 1_117,
      completion_tokens: 46,
      prompt_tokens_details: { cached_tokens: 1_024 },
    }),
  },
  {
    id: 'request-2',
    model: 'gpt-5.4',
    quantities: openAiResponsesQuantities({
      input_tokens: 328,
      output_tokens: 900,
      output_tokens_details: { reasoning_tokens: 640 },
    }),
  },
  {
    id: 'request-3',
    model: 'claude-sonnet-4-6',
    // A stream: the usage of message_start, then that of message_delta.
    quantities: anthropicQuantities(
      { input_tokens: 25, cache_read_input_tokens: 2_000, output_tokens: 1 },
      { output_tokens: 150 },
    ),
  },
  {
    id: 'request-4',
    model: 'gemini-2.5-flash',
    quantities: geminiQuantities({
      promptTokenCount: 800,
      candidatesTokenCount: 90,
      thoughtsTokenCount: 300,
    }),
  },
];

await Promise.all(
  answers.map(async ({ id, model, quantities }) => {
    const event = { eventId: id, accountId, meter: 'llm', model, quantities, eventTimeMs: Date.now() };
    // Resolves once it is applied; the meter keeps it until it is durable.
    const [result] = await meter.record([event]);
    if (result.outcome === 'refused') console.error(`${id} was refused: ${result.reason} ${result.message}`);
    else console.log(`${id} ${result.outcome}: ${result.charged} micro-credits, ${result.available} left`);
  }),
);

// Before the process ends: waits until everything is durable, or says what is not.
const { isDrained, events } = await meter.close({ timeoutMs: 10_000 });
console.log(
  isDrained ? 'everything is durable' : `keep these and record them again: ${JSON.stringify(events)}`,
);
process.exitCode = isDrained ? 0 : 1;
