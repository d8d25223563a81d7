/** Little-endian numbers as Lua's struct.pack('<...') writes them. Integers of seven bytes carry what is below 2^53. */

const TWO_32 = 2 ** 32;

export class BinaryReader {
  #place: number;
  // A DataView is read without a call into Buffer, several times faster.
  readonly #view: DataView;

  constructor(
    private readonly data: Buffer,
    place = 0,
  ) {
    this.#view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    this.#place = place;
  }

  get place(): number {
    return this.#place;
  }

  get atEnd(): boolean {
    return this.#place >= this.data.length;
  }

  u8(): number {
    return this.#view.getUint8(this.#place++);
  }

  u16(): number {
    const value = this.#view.getUint16(this.#place, true);
    this.#place += 2;
    return value;
  }

  u32(): number {
    const value = this.#view.getUint32(this.#place, true);
    this.#place += 4;
    return value;
  }

  u48(): number {
    const place = this.#place;
    this.#place = place + 6;
    return this.#view.getUint32(place, true) + this.#view.getUint16(place + 4, true) * TWO_32;
  }

  u56(): number {
    const place = this.#place;
    this.#place = place + 7;
    const view = this.#view;
    const high = view.getUint16(place + 4, true) + view.getUint8(place + 6) * 65_536;
    return view.getUint32(place, true) + high * TWO_32;
  }

  /** Two's complement. */
  i56(): number {
    const place = this.#place;
    this.#place = place + 7;
    const view = this.#view;
    const high = view.getUint16(place + 4, true) + view.getInt8(place + 6) * 65_536;
    return view.getUint32(place, true) + high * TWO_32;
  }

  bytes(count: number): Buffer {
    const place = this.#place;
    this.#place = place + count;
    return this.data.subarray(place, place + count);
  }

  /** Text that a zero byte ends. */
  text(): string {
    const end = this.data.indexOf(0, this.#place);
    if (end < 0) throw new Error('text without an end');
    const value = this.data.toString('utf8', this.#place, end);
    this.#place = end + 1;
    return value;
  }
}

export class BinaryWriter {
  #data: Buffer;
  #place = 0;

  constructor(size: number) {
    this.#data = Buffer.allocUnsafe(size);
  }

  u8(value: number): void {
    const place = this.#reserve(1);
    this.#data.writeUInt8(value, place);
  }

  u16(value: number): void {
    const place = this.#reserve(2);
    this.#data.writeUInt16LE(value, place);
  }

  u32(value: number): void {
    const place = this.#reserve(4);
    this.#data.writeUInt32LE(value, place);
  }

  u48(value: number): void {
    const place = this.#reserve(6);
    this.#data.writeUIntLE(value, place, 6);
  }

  u56(value: number): void {
    const place = this.#reserve(7);
    const high = Math.floor(value / TWO_32);
    this.#data.writeUInt32LE(value % TWO_32, place);
    this.#data.writeUInt16LE(high & 0xffff, place + 4);
    this.#data.writeUInt8(high >>> 16, place + 6);
  }

  bytes(value: Buffer): void {
    const place = this.#reserve(value.length);
    value.copy(this.#data, place);
  }

  /** Text that a zero byte ends. */
  text(value: string): void {
    this.utf8(value);
    this.u8(0);
  }

  /** Text as it is. */
  utf8(value: string): void {
    // A UTF-16 unit becomes three bytes at most.
    const place = this.#reserve(value.length * 3);
    this.#place = place + this.#data.write(value, place);
  }

  /** What follows, at most 65,535 bytes, is to stand behind the count of its bytes; `endCounted` ends it. */
  beginCounted(): number {
    return this.#reserve(2);
  }

  endCounted(begin: number): void {
    this.#data.writeUInt16LE(this.#place - begin - 2, begin);
  }

  take(): Buffer {
    return this.#data.subarray(0, this.#place);
  }

  /** Comes before `#data` is named, because it may replace it. */
  #reserve(size: number): number {
    const place = this.#place;
    if (place + size > this.#data.length) {
      const grown = Buffer.allocUnsafe(2 * (place + size));
      this.#data.copy(grown, 0, 0, place);
      this.#data = grown;
    }
    this.#place = place + size;
    return place;
  }
}
