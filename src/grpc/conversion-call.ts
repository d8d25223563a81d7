import type { Conversions } from '../credits/conversions.js';
import type { ConvertCreditsRequest__Output } from '../gen/drawdown/v1/ConvertCreditsRequest.js';
import type { ConvertCreditsResponse } from '../gen/drawdown/v1/ConvertCreditsResponse.js';
import { type CallEnvironment, callOptions, unary } from './call.js';
import { reasonName, unitName } from './names.js';
import type { Outcomes } from './outcomes.js';
import { checkDurable, checkId, checkTime, checkUnit, checkWhole, fieldInvalid } from './validate.js';

export interface ConversionEnvironment extends CallEnvironment {
  readonly conversions: Conversions;
  readonly outcomes: Outcomes;
}

export const convertCredits = (environment: ConversionEnvironment) =>
  unary<ConvertCreditsRequest__Output, ConvertCreditsResponse>(
    'ConvertCredits',
    environment,
    async (request, call) => {
      const { conversions, outcomes, settings } = environment;
      const unit = checkUnit(request.unit, 'unit');
      if (unit === 1) throw fieldInvalid('unit', 'must be UNIT_TTS_CHARACTERS or UNIT_LLM_MESSAGES');
      const convertCall = {
        requestId: checkId(request.requestId, 'request_id'),
        accountId: checkId(request.accountId, 'account_id'),
        unit,
        wish: checkWish(request),
        eventTimeMs: checkTime(request.eventTimeMs, 'event_time_ms'),
      };
      const options = callOptions(call, checkDurable(request.ackLevel, true), settings);
      const result = await outcomes.watched('convert_credits', conversions.convert(convertCall, options));
      outcomes.converted(result);
      const unitWord = unitName(result.unit);
      if (result.verdict === 'denied') {
        const { reason, availableMicros, missingMicros } = result;
        return {
          verdict: 'VERDICT_DENIED',
          reason: reasonName(reason),
          unit: unitWord,
          availableCredits: availableMicros,
          missingCredits: missingMicros,
        };
      }
      const { verdict: _, convertedMicros, ...rest } = result;
      return { ...rest, verdict: 'VERDICT_ALLOWED', unit: unitWord, converted: convertedMicros };
    },
  );

function checkWish(request: ConvertCreditsRequest__Output): {
  kind: 'credits' | 'units';
  value: number;
} {
  if (request.wish === 'credits') {
    return { kind: 'credits', value: checkWhole(request.credits ?? '', 'credits', { min: 1 }) };
  }
  if (request.wish === 'units') {
    return { kind: 'units', value: checkWhole(request.units ?? '', 'units', { min: 1 }) };
  }
  throw fieldInvalid('wish', 'must be given as credits or units');
}
