/**
 * Traffic of the shape of a day of production LLM requests (Azure LLM inference trace 2023, described in "Splitwise",
 * ISCA 2024): about two thirds chat, one third code completion. Used where the trace itself is not at hand.
 */

/** Repeats for a seed: mulberry32, a public-domain generator of 32 bits of state. */
export function randomSource(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let value = Math.imul(state ^ (state >>> 15), state | 1);
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61);
    return ((value ^ (value >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export interface TokenCounts {
  readonly inputTokens: number;
  readonly outputTokens: number;
}

/** Token counts at the ranks below, read from the trace; between them a line. */
const RANKS = [0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1] as const;
const CHAT = {
  input: [2, 207, 396, 1_020, 1_189, 2_735, 4_142, 14_050],
  output: [7, 54, 85, 129, 395, 424, 601, 1_000],
} as const;
const CODE = {
  input: [3, 147, 578, 1_469, 2_745, 5_194, 7_436, 7_437],
  output: [6, 7, 9, 13, 24, 55, 252, 1_899],
} as const;
/** 19,366 of 28,185 requests. Mean prompt then is about 1,434 tokens, mean answer about 154. */
const CHAT_SHARE = 0.687;

export function drawTokenCounts(random: () => number): TokenCounts {
  const { input, output } = random() < CHAT_SHARE ? CHAT : CODE;
  return { inputTokens: atRank(input, random()), outputTokens: atRank(output, random()) };
}

function atRank(counts: readonly number[], rank: number): number {
  const upper = Math.max(
    1,
    RANKS.findIndex((one) => one > rank),
  );
  const from = RANKS[upper - 1] as number;
  const to = RANKS[upper] as number;
  const low = counts[upper - 1] as number;
  const high = counts[upper] as number;
  return Math.round(low + ((high - low) * (rank - from)) / (to - from));
}
