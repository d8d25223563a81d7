import { varintSize, WIRE, writeVarint } from '../wire/protobuf.js';

/** Room for the messages of an ordinary turn of the event loop; grows by doubling and is kept. */
const bytesAtFirst = 16_384;

/** What a tag and a number need at most. */
const fieldBytesMax = 1 + 10;

/**
 * Writes one message of fields below 16, whose tags are one byte. Zero values are left out, as in proto3. A nested message is written behind one byte for
 * its length, and moved where that is too few: nearly all are shorter than 128 bytes.
 */
export class MessageWriter {
  #bytes = Buffer.allocUnsafe(bytesAtFirst);
  #pos = 0;

  begin(): void {
    this.#pos = 0;
  }

  /** What was written, in memory of its own. */
  finish(): Buffer {
    return Buffer.from(this.#bytes.subarray(0, this.#pos));
  }

  /** Begins a nested message; `close` ends it. */
  open(field: number): number {
    this.#reserve(fieldBytesMax);
    this.#bytes[this.#pos++] = (field << 3) | WIRE.bytes;
    return this.#pos++;
  }

  close(start: number): void {
    const size = this.#pos - start - 1;
    const more = varintSize(size) - 1;
    if (more > 0) {
      this.#reserve(more);
      this.#bytes.copyWithin(start + 1 + more, start + 1, this.#pos);
      this.#pos += more;
    }
    writeVarint(this.#bytes, start, size);
  }

  whole(field: number, value: number): void {
    if (value === 0) return;
    if (!(value > 0 && value <= Number.MAX_SAFE_INTEGER))
      throw new Error(`An answer has the number ${value}`);
    this.#reserve(fieldBytesMax);
    this.#bytes[this.#pos] = (field << 3) | WIRE.varint;
    this.#pos = writeVarint(this.#bytes, this.#pos + 1, value);
  }

  flag(field: number, value: boolean): void {
    if (value) this.whole(field, 1);
  }

  text(field: number, value: string): void {
    if (value === '') return;
    const start = this.open(field);
    // UTF-8 needs at most three bytes for one UTF-16 unit.
    this.#reserve(value.length * 3);
    this.#pos += this.#bytes.write(value, this.#pos, 'utf8');
    this.close(start);
  }

  /** Whole numbers, zeros included. */
  packed(field: number, values: ArrayLike<number>): void {
    const start = this.open(field);
    this.#reserve(values.length * 10);
    for (let i = 0; i < values.length; i++)
      this.#pos = writeVarint(this.#bytes, this.#pos, values[i] as number);
    this.close(start);
  }

  #reserve(count: number): void {
    if (this.#pos + count <= this.#bytes.length) return;
    const larger = Buffer.allocUnsafe(2 * (this.#pos + count));
    this.#bytes.copy(larger, 0, 0, this.#pos);
    this.#bytes = larger;
  }
}
