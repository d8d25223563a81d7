import { quantitiesPerMeterMax } from '../catalog/limits.js';
import { WIRE, type WireReader } from '../wire/protobuf.js';
import { idLengthMax, idRule } from './validate.js';

export const wholeRule = 'must be a whole number from 0 to 9007199254740991';
export const timeRule = 'must be milliseconds since 1970, above 0';

const nameTag = (1 << 3) | WIRE.bytes;
const countTag = (2 << 3) | WIRE.varint;

/**
 * Reads one entry of a map of quantities in the field called `field`, or says what is wrong with it. A name that comes twice keeps its place and
 * takes the later count, as in protobuf.
 */
export function readQuantity(
  reader: WireReader,
  quantities: [string, number][],
  field: string,
): string | null {
  const outerEnd = reader.end;
  const entryEnd = reader.lengthEnd();
  reader.end = entryEnd;
  let name: string | null = '';
  let count = 0;
  while (reader.pos < entryEnd) {
    const tag = reader.tag();
    if (tag === nameTag) name = reader.cachedToken(idLengthMax);
    else if (tag === countTag) count = reader.whole();
    else reader.skip(tag);
  }
  reader.end = outerEnd;
  if (name === null || name === '') return `${field}: a name ${idRule}`;
  if (Number.isNaN(count)) return `${field}["${name}"] ${wholeRule}`;
  for (const quantity of quantities) {
    if (quantity[0] === name) {
      quantity[1] = count;
      return null;
    }
  }
  if (quantities.length >= quantitiesPerMeterMax)
    return `${field} must have at most ${quantitiesPerMeterMax}`;
  quantities.push([name, count]);
  return null;
}
