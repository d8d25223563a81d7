import type { SidecarClient } from '../cli/client.js';
import type { SimulatedClock } from './simulated-clock.js';

/** What one request to the model uses, and costs by the shipped rate card: 0.2 M x 5 + 0.04 M x 25 credits. */
const model = 'claude-opus-4-7';
const requestTokens = { input_tokens: 200_000, output_tokens: 40_000 };

const microsPerCredit = 1_000_000;

/** The caller of the worked example: a gateway and a billing backend of one account. Every call is made at the clock's time. */
export class PolicyCustomer {
  readonly accountId = 'acme';
  #requests = 0;

  constructor(
    private readonly client: SidecarClient,
    private readonly clock: SimulatedClock,
  ) {}

  async create(plan: string): Promise<void> {
    await this.client.call('AccountService/CreateAccount', { ...this.#request(), plan });
  }

  /** Requests to the model that are done, on behalf of an agent where one is named. */
  async use(count: number, agentId = ''): Promise<void> {
    const { accountId } = this;
    const eventTimeMs = this.clock.nowMs;
    const events = Array.from({ length: count }, () => {
      const eventId = this.#newId();
      return { eventId, accountId, agentId, meter: 'llm', model, quantities: requestTokens, eventTimeMs };
    });
    const { results } = await this.client.call('UsageService/RecordUsageBatch', {
      events,
      ackLevel: 'ACK_LEVEL_DURABLE',
    });
    const refused = results.find(({ outcome }) => outcome !== 'EVENT_OUTCOME_RECORDED');
    if (refused !== undefined)
      throw new Error(`An event was not recorded: ${refused.outcome} ${refused.reason}`);
  }

  /** A billing period that begins now. */
  async startPeriod(plan: string, endTimeMs: number): Promise<void> {
    const period = { plan, startTimeMs: this.clock.nowMs, endTimeMs };
    await this.client.call('AccountService/StartBillingPeriod', { ...this.#request(), ...period });
  }

  async upgrade(plan: string, periodEndTimeMs: number): Promise<void> {
    await this.client.call('AccountService/ChangePlan', { ...this.#request(), plan, periodEndTimeMs });
  }

  /** Down to the free plan, at the period's end. */
  async cancel(): Promise<void> {
    await this.client.call('AccountService/ChangePlan', { ...this.#request(), plan: 'free' });
  }

  async unlock(agentId: string): Promise<void> {
    const request = { ...this.#request(), agentId, tier: 'standard' };
    allowed(await this.client.call('AgentService/UnlockAgent', request));
  }

  async convertIntoCharacters(credits: number): Promise<void> {
    const wish = { unit: 'UNIT_TTS_CHARACTERS' as const, credits: credits * microsPerCredit };
    allowed(await this.client.call('AccountService/ConvertCredits', { ...this.#request(), ...wish }));
  }

  #newId(): string {
    this.#requests++;
    return `example-${this.#requests}`;
  }

  #request() {
    return { requestId: this.#newId(), accountId: this.accountId, eventTimeMs: this.clock.nowMs };
  }
}

function allowed({ verdict, reason }: { readonly verdict: string; readonly reason: string }): void {
  if (verdict !== 'VERDICT_ALLOWED') throw new Error(`${verdict} ${reason}`);
}
