import type { Command } from 'commander';
import { CommandFailure } from './io.js';
import { collectQuantity, parseCredits, parseUnit, parseWhole } from './parse.js';

/** The flags that say what was, or will be, used. */

/** Flags for the quantities that nearly everybody has; all others go by --quantity. */
const commonQuantities = {
  inputTokens: 'input_tokens',
  outputTokens: 'output_tokens',
  characters: 'characters',
} as const;

export interface WorkOptions {
  readonly account: string;
  readonly agent?: string;
  readonly meter: string;
  readonly model: string;
  readonly inputTokens?: string;
  readonly outputTokens?: string;
  readonly characters?: string;
  readonly quantity?: Readonly<Record<string, string>>;
}

export interface AmountOptions {
  readonly credits?: string;
  readonly amount?: string;
  readonly unit?: `UNIT_${'CREDITS' | 'TTS_CHARACTERS' | 'LLM_MESSAGES'}`;
}

export function addWorkOptions(command: Command): Command {
  return command
    .requiredOption('--account <account>', 'whose usage it is')
    .option('--agent <agent>', 'on behalf of which agent')
    .requiredOption('--meter <meter>', 'what is measured: llm, tts')
    .requiredOption('--model <model>', 'which model does it')
    .option('--input-tokens <count>', 'tokens read, cached ones included', parseWhole)
    .option('--output-tokens <count>', 'tokens written', parseWhole)
    .option('--characters <count>', 'characters spoken', parseWhole)
    .option(
      '--quantity <name=count>',
      'any other quantity of the meter; may come several times',
      collectQuantity,
    );
}

export function addAmountOptions(command: Command): Command {
  return command
    .option('--credits <credits>', 'an amount of credits, with up to 6 decimals', parseCredits)
    .option('--amount <count>', 'an amount in --unit', parseWhole)
    .option('--unit <unit>', 'credits (in micro-credits), tts_characters or llm_messages', parseUnit);
}

/** The quantities that were given, by their names in the catalog. */
export function quantitiesOf(options: WorkOptions): Record<string, string> {
  const quantities: Record<string, string> = { ...options.quantity };
  for (const [flag, name] of Object.entries(commonQuantities)) {
    const count = options[flag as keyof typeof commonQuantities];
    if (count === undefined) continue;
    if (Object.hasOwn(quantities, name)) throw new CommandFailure(`${name} is given twice`);
    quantities[name] = count;
  }
  return quantities;
}

/** The amount that was given, or null. */
export function amountOf({ credits, amount, unit }: AmountOptions) {
  if (credits !== undefined && amount !== undefined) {
    throw new CommandFailure('Give either --credits or --amount with --unit');
  }
  if (credits !== undefined) return { unit: 'UNIT_CREDITS' as const, value: credits };
  if (amount === undefined && unit === undefined) return null;
  if (amount === undefined || unit === undefined)
    throw new CommandFailure('--amount and --unit belong together');
  return { unit, value: amount };
}

/** Quantities or an amount: exactly one of them. */
export function estimateOf(options: WorkOptions & AmountOptions) {
  const values = quantitiesOf(options);
  const amount = amountOf(options);
  const hasQuantities = Object.keys(values).length > 0;
  if (hasQuantities === (amount !== null)) {
    throw new CommandFailure(
      'Say how much: quantities such as --input-tokens 1000, or an amount such as --credits 0.5',
    );
  }
  return amount === null ? { quantities: { values } } : { amount };
}

/** Who and what, as every request of usage names it. */
export function subjectOf({ account, agent, meter, model }: WorkOptions) {
  return { accountId: account, agentId: agent ?? '', meter, model };
}
