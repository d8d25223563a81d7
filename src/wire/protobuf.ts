import { DrawdownError } from '../errors.js';

/**
 * The few pieces of protobuf's wire format that the hot path needs, on plain numbers. int64 fields are read as
 * numbers from 0 to 2^53-1; anything else on the wire is NaN for the caller to refuse.
 */

/** The wire types of protobuf. Groups (3 and 4) are only ever skipped. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, groupStart: 3, groupEnd: 4, fixed32: 5 } as const;

/** Unknown groups nested deeper than this are malformed: nothing of ours has groups, so depth is only an attack. */
const groupDepthMax = 16;

/** A varint has at most ten bytes. */
const varintBytesMax = 10;

/** Slots of the cache of short strings: 8,192 hot account ids, models and names cost about 1 MB. */
const tokenCacheSlots = 8_192;

export function malformed(what: string): DrawdownError {
  return new DrawdownError('FIELD_INVALID', `The message is not valid protobuf: ${what}`);
}

/** 1 for the bytes that ids and names are made of: A-Z a-z 0-9 . _ - : @ / */
const tokenBytes = (() => {
  const table = new Uint8Array(256);
  for (const character of 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-:@/') {
    table[character.charCodeAt(0)] = 1;
  }
  return table;
})();

const tokenCache: string[] = new Array(tokenCacheSlots).fill('');

/**
 * A cursor over one message. Every read checks the end of the innermost message (`end`), so truncated input
 * raises `malformed` and never reads its neighbour.
 */
export class WireReader {
  pos = 0;
  end = 0;
  #bytes: Buffer = Buffer.alloc(0);

  reset(bytes: Buffer): void {
    this.#bytes = bytes;
    this.pos = 0;
    this.end = bytes.length;
  }

  /** The next tag: field number times 8 plus wire type. */
  tag(): number {
    const first = this.pos < this.end ? (this.#bytes[this.pos] as number) : 0;
    if (first >= 8 && first < 0x80) {
      this.pos++;
      return first;
    }
    const tag = this.#varint();
    if (!(tag >= 8 && tag <= 0xffffffff)) throw malformed('a tag is out of range');
    return tag;
  }

  /** A whole number from 0 to 2^53-1, or NaN for anything larger or negative. */
  whole(): number {
    const value = this.#varint();
    return value <= Number.MAX_SAFE_INTEGER ? value : Number.NaN;
  }

  /** The varint modulo nothing: exact up to 2^53, approximate (and larger than any valid value) beyond. */
  #varint(): number {
    const bytes = this.#bytes;
    const end = this.end;
    let pos = this.pos;
    let value = 0;
    let factor = 1;
    for (let count = 0; count < varintBytesMax; count++) {
      if (pos >= end) throw malformed('it ends inside a number');
      const byte = bytes[pos++] as number;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) {
        this.pos = pos;
        return value;
      }
      factor *= 128;
    }
    throw malformed('a number has more than ten bytes');
  }

  /** Reads a length and returns where that many bytes end. */
  lengthEnd(): number {
    const first = this.pos < this.end ? (this.#bytes[this.pos] as number) : 0x80;
    let length = first;
    if (first < 0x80) this.pos++;
    else length = this.#varint();
    const end = this.pos + length;
    if (!(end <= this.end)) throw malformed('a field is longer than the message');
    return end;
  }

  /**
   * Reads a string of ids' alphabet of 1 to `lengthMax` bytes that is likely to come again: account ids, models,
   * names. The same bytes give the same string object, whose hash V8 has already computed. Returns '' for the empty
   * string and null for one that is too long or has other bytes.
   */
  cachedToken(lengthMax: number): string | null {
    const end = this.lengthEnd();
    const start = this.pos;
    this.pos = end;
    const length = end - start;
    if (length === 0) return '';
    if (length > lengthMax) return null;
    const bytes = this.#bytes;
    let hash = length;
    let allowed = 1;
    for (let i = start; i < end; i++) {
      const byte = bytes[i] as number;
      allowed &= tokenBytes[byte] as number;
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    if (allowed === 0) return null;
    const slot = (hash ^ (hash >>> 15)) & (tokenCacheSlots - 1);
    const cached = tokenCache[slot] as string;
    if (cached.length === length && this.#same(cached, start)) return cached;
    const fresh = bytes.toString('latin1', start, end);
    tokenCache[slot] = fresh;
    return fresh;
  }

  /** As `cachedToken`, for strings that hardly ever come again: event ids. */
  freshToken(lengthMax: number): string | null {
    const end = this.lengthEnd();
    const start = this.pos;
    this.pos = end;
    if (end === start) return '';
    if (end - start > lengthMax) return null;
    const bytes = this.#bytes;
    let allowed = 1;
    for (let i = start; i < end; i++) allowed &= tokenBytes[bytes[i] as number] as number;
    return allowed === 0 ? null : bytes.toString('latin1', start, end);
  }

  #same(cached: string, start: number): boolean {
    const bytes = this.#bytes;
    for (let i = 0; i < cached.length; i++) {
      if (cached.charCodeAt(i) !== bytes[start + i]) return false;
    }
    return true;
  }

  /** Skips the value of a field that nobody here knows. */
  skip(tag: number, depth = 0): void {
    switch (tag & 7) {
      case WIRE.varint:
        this.#varint();
        return;
      case WIRE.fixed64:
        this.#advance(8);
        return;
      case WIRE.bytes:
        this.pos = this.lengthEnd();
        return;
      case WIRE.fixed32:
        this.#advance(4);
        return;
      case WIRE.groupStart:
        this.#skipGroup(tag, depth);
        return;
      default:
        throw malformed('a field has an impossible type');
    }
  }

  #skipGroup(start: number, depth: number): void {
    if (depth >= groupDepthMax) throw malformed('groups are nested too deeply');
    for (;;) {
      const tag = this.tag();
      if ((tag & 7) === WIRE.groupEnd) {
        if (tag !== start + 1) throw malformed('a group ends with another number');
        return;
      }
      this.skip(tag, depth + 1);
    }
  }

  #advance(count: number): void {
    this.pos += count;
    if (this.pos > this.end) throw malformed('it ends inside a number');
  }
}

/** How many bytes a whole number needs as a varint. */
export function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes a whole number from 0 to 2^53-1 and returns the position behind it. */
export function writeVarint(bytes: Buffer, at: number, value: number): number {
  let pos = at;
  let rest = value;
  while (rest > 0x7fffffff) {
    bytes[pos++] = (rest % 128) | 0x80;
    rest = Math.floor(rest / 128);
  }
  rest |= 0;
  while (rest >= 0x80) {
    bytes[pos++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  bytes[pos++] = rest;
  return pos;
}
