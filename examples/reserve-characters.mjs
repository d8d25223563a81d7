// A TTS service that reserves characters before it speaks, settles for what was spoken, and releases what failed.
//
//   node examples/reserve-characters.mjs [address] [account]
//
// needs a sidecar (npm start) and an account with credits:
//   npx drawdown account create demo && npx drawdown account topup demo --credits 10
import { countCharacters, Meter } from 'drawdown/client';

const [address = '127.0.0.1:50051', accountId = 'demo'] = process.argv.slice(2);

const meter = new Meter({
  addresses: [address],
  // While no sidecar answers, an account may still speak 2,000 characters; they are reported when one is back.
  whenUnavailable: {
    unitsPerAccountMax: 2_000n,
    unitsOf: ({ quantities }) => BigInt(quantities.characters),
  },
  onLost: (lost) => console.error('not booked, look into it:', lost),
});

/** As the catalog counts this model. */
const work = { accountId, meter: 'tts', model: 'eleven_flash_v2_5' };
const count = (text) => countCharacters(text, { unit: 'code_points', markup: 'not_counted' });

/** Returns the audio, or null when the account has not enough. */
async function speak(requestId, text) {
  const reserved = await meter.reserve(
    { ...work, holdId: requestId, quantities: { characters: count(text) }, startTimeMs: Date.now() },
    { timeoutMs: 300 },
  );
  if (!reserved.allowed) {
    console.log(`${requestId} denied: ${reserved.reason}, ${reserved.missing} missing`);
    return null;
  }
  let spoken;
  try {
    spoken = await synthesise(text);
  } catch (error) {
    await meter.release({ accountId, holdId: requestId, eventTimeMs: Date.now() });
    console.log(`${requestId} released: ${error.message}`);
    return null;
  }
  const settled = await meter.settle({
    ...work,
    holdId: requestId,
    quantities: { characters: spoken.characters },
    eventTimeMs: Date.now(),
  });
  // 'kept': no sidecar answered; the meter repeats the settle until one has booked it.
  console.log(`${requestId} ${settled.outcome}: ${spoken.characters} characters`);
  return spoken.audio;
}

/** Stands in for a vendor: takes a moment, fails where the text says so, bills what it spoke. */
async function synthesise(text) {
  await new Promise((resolve) => setTimeout(resolve, 10));
  if (text.includes('[fail]')) throw new Error('the vendor failed');
  return { audio: Buffer.alloc(count(text) * 100), characters: count(text) };
}

await speak('speech-1', '<speak>Good morning! It is <break time="300ms"/> 7 o\'clock.</speak>');
await speak('speech-2', 'This one [fail]s.');
await speak('speech-3', 'Too long for the account. '.repeat(100_000));

const { isDrained, settles } = await meter.close({ timeoutMs: 10_000 });
console.log(
  isDrained ? 'everything is durable' : `keep these and settle them again: ${JSON.stringify(settles)}`,
);
process.exitCode = isDrained ? 0 : 1;
