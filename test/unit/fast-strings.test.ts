import { setFlagsFromString } from 'node:v8';
import { describe, expect, it } from 'vitest';
import '../../src/redis/connection.js';

setFlagsFromString('--allow-natives-syntax');
const hasFastProperties = new Function('object', 'return %HasFastProperties(object)') as (
  object: object,
) => boolean;

describe('strings', () => {
  it('have fast properties although the client of Redis declares a class that extends String', async () => {
    const { VerbatimString } = (await import('ioredis/built/resp/verbatim-string.js')) as {
      VerbatimString: { prototype: object };
    };

    expect(Object.getPrototypeOf(VerbatimString.prototype)).toBe(String.prototype);
    expect(hasFastProperties(String.prototype)).toBe(true);
  });
});
