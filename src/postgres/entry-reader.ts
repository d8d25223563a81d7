import { COPY_HEADER, type EntryRow, rowChecksum } from './entry-row.js';

/** Reads the rows that entry-row.ts writes, from the binary form in which COPY sends them. */

/** A row's length, its count of columns included; -1 where `data` ends before the row does, 0 at the trailer. */
function rowLength(data: Buffer, start: number): number {
  if (start + 2 > data.length) return -1;
  let columns = data.readInt16BE(start);
  if (columns < 0) return 0;
  let place = start + 2;
  for (; columns > 0; columns--) {
    if (place + 4 > data.length) return -1;
    place += 4 + Math.max(0, data.readInt32BE(place));
  }
  return place > data.length ? -1 : place - start;
}

/** The rows of a COPY in binary form, as many at once as have arrived. A row is valid until the next ones are asked for. */
export async function* copiedRows(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer[]> {
  let rest: Buffer = Buffer.alloc(0);
  let headerRead = false;
  for await (const chunk of stream) {
    const data = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    let place = 0;
    if (!headerRead) {
      if (data.length < COPY_HEADER.length) {
        rest = data;
        continue;
      }
      if (!data.subarray(0, COPY_HEADER.length).equals(COPY_HEADER))
        throw new Error('not a COPY in binary form');
      headerRead = true;
      place = COPY_HEADER.length;
    }
    const rows: Buffer[] = [];
    for (let length = rowLength(data, place); length > 0; length = rowLength(data, place)) {
      rows.push(data.subarray(place, place + length));
      place += length;
    }
    rest = data.subarray(place);
    if (rows.length > 0) yield rows;
  }
}

/** Where a line stands, without decoding the rest. The columns before `kind` have fixed widths. */
export interface EntryPlace {
  readonly accountKey: number;
  readonly accountSeq: number;
  readonly partition: number;
  readonly epoch: number;
  readonly seq: number;
}

const TWO_32 = 2 ** 32;

function int8(row: Buffer, place: number): number {
  return row.readInt32BE(place) * TWO_32 + row.readUInt32BE(place + 4);
}

export function entryPlace(row: Buffer): EntryPlace {
  return {
    accountKey: int8(row, 6),
    accountSeq: int8(row, 18),
    partition: row.readInt32BE(30),
    epoch: int8(row, 38),
    seq: int8(row, 50),
  };
}

/** The checksum is the last column: four bytes behind their length. */
const CHECKSUM_BYTES = 8;

/** Is the row what its checksum says? */
export function checksumHolds(row: Buffer): boolean {
  const end = row.length - CHECKSUM_BYTES;
  return row.readInt32BE(row.length - 4) === rowChecksum(row.subarray(0, end));
}

const POSTGRES_EPOCH_MS = Date.UTC(2000, 0, 1);

export function decodeEntry(row: Buffer): EntryRow {
  const { accountKey, accountSeq, partition, epoch, seq } = entryPlace(row);
  let place = 58;
  const text = (): string => {
    const length = row.readInt32BE(place);
    const value = row.toString('utf8', place + 4, place + 4 + length);
    place += 4 + length;
    return value;
  };
  const nullable = (): string | null => {
    if (row.readInt32BE(place) >= 0) return text();
    place += 4;
    return null;
  };
  const long = (): number => {
    place += 12;
    return int8(row, place - 8);
  };
  const short = (): number => {
    place += 8;
    return row.readInt32BE(place - 4);
  };
  const time = (): number => long() / 1000 + POSTGRES_EPOCH_MS;
  // Fields are evaluated in this order, which is that of ENTRY_COLUMNS.
  return {
    accountKey,
    accountSeq,
    partition,
    epoch,
    seq,
    kind: text(),
    id: text(),
    payloadHash: long(),
    eventMonth: short(),
    eventTimeMs: time(),
    bookedTimeMs: time(),
    agent: text(),
    meter: text(),
    model: text(),
    quantities: text(),
    catalogVersion: short(),
    unit: text(),
    granted: long(),
    spent: long(),
    expired: long(),
    converted: long(),
    debt: long(),
    released: long(),
    lots: text(),
    remainingAfter: long(),
    heldAfter: long(),
    debtAfter: long(),
    flags: text(),
    note: nullable(),
  };
}
