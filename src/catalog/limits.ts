/**
 * The limits of a catalog, in one place because they bound each other (a unit test holds them to it). The
 * text may come over the network from whoever may publish, so its cost is bounded before it is understood.
 */

/** Characters of the largest catalog: the allowed number of models at a generous 1,000 each. */
export const catalogTextLengthMax = 524_288;

/**
 * Lexical tokens (names, colons, line breaks, ...) of the largest catalog: the allowed number of models at 200
 * each. The parser needs about 5 microseconds for one that is right, so that a full catalog costs half a second;
 * text made of nothing but mistakes was measured at up to two. Do not read foreign text on a thread that serves.
 */
export const catalogTokensMax = 100_000;

/** How deep values may nest. The schema's deepest value, an alias of a model, is at 5. */
export const catalogNestingMax = 16;

/** Mistakes explained in one answer; the rest is only counted. */
export const catalogProblemsMax = 100;

export const metersMax = 16;

/** The set of quantities seen in an event is one integer with a bit for each: at most 31. */
export const quantitiesPerMeterMax = 24;

export const modelsMax = 500;

export const aliasesPerModelMax = 16;

/** Meters and quantities. */
export const nameLengthMax = 64;
export const namePattern = /^[a-z][a-z0-9_]*$/;

/** Models are ids of callers: the same alphabet and length as every other id. */
export const modelNameLengthMax = 128;

export const sourceLengthMax = 500;

/** Decimals of prices, amounts of credits and weights: a micro-credit is the smallest amount. */
export const decimalsMax = 6;

/**
 * The largest price, in credits per million units: 1,000 credits for a single unit. In micro-credits it is
 * 10^15, below 2^53, so that every price and every difference of two prices is an exact double.
 */
export const pricePerMillionCreditsMax = 1_000_000_000;

/** The largest amount of credits that a plan, an agent, a block or a threshold names: 10^15 micro-credits, below 2^53. */
export const amountCreditsMax = 1_000_000_000;

/** The largest amount of an allowance's units that a rate or a threshold names. */
export const amountUnitsMax = 1_000_000_000_000;

/** What a token may weigh: in millionths 10^9, so that a difference of two weights is far from 2^53. */
export const weightMax = 1_000;

/** Weighted tokens of one message: in millionths at most 10^15, below 2^53. */
export const weightedTokensMax = 1_000_000_000;

export const plansMax = 50;

export const agentTiersMax = 50;

/** Ranks and lot priorities are small numbers to compare; a lot's priority travels in 32 bits. */
export const rankMax = 1_000_000;

/** Agents that a plan may allow; without a limit they are `unlimited`. */
export const agentsPerPlanMax = 1_000_000;

/** Every change of a wallet is compared with each of them. */
export const thresholdsPerWalletMax = 16;
