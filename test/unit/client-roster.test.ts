import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Roster } from '../../src/client/roster.js';

test('a roster holds what a set holds', () => {
  const steps = fc.array(fc.record({ member: fc.nat({ max: 7 }), isAdded: fc.boolean() }), { maxLength: 60 });
  fc.assert(
    fc.property(steps, (steps) => {
      const members = Array.from({ length: 8 }, () => ({ place: 0 }));
      const roster = new Roster<{ place: number }>();
      const set = new Set<{ place: number }>();
      for (const { member, isAdded } of steps) {
        const one = members[member] as { place: number };
        expect(roster.has(one)).toBe(set.has(one));
        if (!isAdded) expect(roster.delete(one)).toBe(set.delete(one));
        else if (!set.has(one)) {
          roster.add(one);
          set.add(one);
        }
        expect(roster.size).toBe(set.size);
        expect(new Set(roster.all)).toEqual(set);
      }
    }),
  );
});
