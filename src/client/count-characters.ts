/**
 * Counts the characters of a text to be spoken, the way a vendor bills them. The sidecar never sees the text: whoever
 * calls it counts, with this. Nothing here imports anything.
 */

/** What one character is. */
export type CharacterUnit =
  /** A Unicode code point: an emoji with joiners has several, an accent of its own is one more. */
  | 'code_points'
  /** A UTF-16 unit, as `text.length` counts: everything beyond U+FFFF has two. */
  | 'utf16_units'
  /** A byte of UTF-8. */
  | 'bytes';

export interface CharacterCounting {
  readonly unit: CharacterUnit;
  /** 'counted': the text as it is written. 'not_counted': only what is spoken of SSML; see docs/tts-characters.md. */
  readonly markup: 'counted' | 'not_counted';
}

/**
 * The number of characters of `text`. A half of a surrogate pair alone is one code point and one UTF-16 unit, and three bytes, because
 * it is sent as U+FFFD. Whatever is no well-formed markup is counted as it is written, so a mistake never makes text free of charge.
 */
export function countCharacters(text: string, counting: CharacterCounting): number {
  const { unit, markup } = counting;
  if (markup === 'counted') return count(text, unit);
  let sum = 0;
  for (const spoken of spokenParts(text)) sum += count(spoken, unit);
  return sum;
}

function count(text: string, unit: CharacterUnit): number {
  switch (unit) {
    case 'utf16_units':
      return text.length;
    case 'code_points':
      return text.length - pairsIn(text);
    case 'bytes':
      return utf8Bytes(text);
  }
}

function isPairAt(text: string, place: number): boolean {
  const high = text.charCodeAt(place);
  if (high < 0xd800 || high > 0xdbff) return false;
  const low = text.charCodeAt(place + 1);
  return low >= 0xdc00 && low <= 0xdfff;
}

function pairsIn(text: string): number {
  let pairs = 0;
  for (let place = 0; place < text.length; place++) {
    if (isPairAt(text, place)) {
      pairs += 1;
      place += 1;
    }
  }
  return pairs;
}

function utf8Bytes(text: string): number {
  let bytes = 0;
  for (let place = 0; place < text.length; place++) {
    const code = text.charCodeAt(place);
    if (code < 0x80) bytes += 1;
    else if (code < 0x800) bytes += 2;
    else if (isPairAt(text, place)) {
      bytes += 4;
      place += 1;
    } else bytes += 3;
  }
  return bytes;
}

/**
 * Everything of an SSML text that is not markup, in order: text as it is, character references as the characters that they
 * stand for, the content of CDATA sections. One look at each character: what is searched for and missing is not searched for again.
 */
function* spokenParts(text: string): Generator<string> {
  const closings = new Closings(text);
  let start = 0;
  for (let place = 0; place < text.length; ) {
    const character = text[place];
    if (character === '<') {
      const found = markupAt(text, place, closings);
      if (found !== null) {
        yield text.slice(start, place);
        yield found.content;
        start = place = found.end;
        continue;
      }
    } else if (character === '&') {
      const found = referenceAt(text, place);
      if (found !== null) {
        yield text.slice(start, place);
        yield found.content;
        start = place = found.end;
        continue;
      }
    }
    place += 1;
  }
  yield text.slice(start);
}

/** A piece of the text that does not stand for itself: where it ends, and what is spoken of it. */
interface Piece {
  readonly end: number;
  readonly content: string;
}

/** Finds closing marks, and remembers which are nowhere: a text full of openings is read once, not once an opening. */
class Closings {
  readonly #missing = new Set<string>();

  constructor(private readonly text: string) {}

  after(mark: string, place: number): number {
    if (this.#missing.has(mark)) return -1;
    const found = this.text.indexOf(mark, place);
    if (found < 0) this.#missing.add(mark);
    return found;
  }
}

const SECTIONS = [
  { opening: '<!--', closing: '-->', spoken: false },
  { opening: '<![CDATA[', closing: ']]>', spoken: true },
  { opening: '<?', closing: '?>', spoken: false },
] as const;

function markupAt(text: string, place: number, closings: Closings): Piece | null {
  for (const { opening, closing, spoken } of SECTIONS) {
    if (!text.startsWith(opening, place)) continue;
    const from = place + opening.length;
    const to = closings.after(closing, from);
    if (to < 0) return null;
    return { end: to + closing.length, content: spoken ? text.slice(from, to) : '' };
  }
  const end = tagEnd(text, place);
  return end < 0 ? null : { end, content: '' };
}

const TAG_OPENING = /<(?:\/?[\p{L}_:]|![A-Z])/uy;

/** Behind the '>' of a tag or a document type; -1 where none begins here. A '<' inside means that it was none, an attribute's value may hold '>'. */
function tagEnd(text: string, place: number): number {
  TAG_OPENING.lastIndex = place;
  if (!TAG_OPENING.test(text)) return -1;
  let quote = '';
  for (let i = place + 1; i < text.length; i++) {
    const character = text[i] as string;
    if (character === '<') return -1;
    if (quote !== '') {
      if (character === quote) quote = '';
    } else if (character === '"' || character === "'") quote = character;
    else if (character === '>') return i + 1;
  }
  return -1;
}

/** The entities that every XML document has; others must be declared, and SSML declares none. */
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };
/** `&`, what it names, `;`. The longest number of a character has seven digits; leading zeros are bounded with it. */
const REFERENCE = /&(?:(amp|lt|gt|quot|apos)|#(\d{1,16})|#x([0-9a-fA-F]{1,16}));/y;

function referenceAt(text: string, place: number): Piece | null {
  REFERENCE.lastIndex = place;
  const found = REFERENCE.exec(text);
  if (found === null) return null;
  const [whole, name, decimal, hexadecimal] = found;
  const content =
    name !== undefined
      ? (ENTITIES[name] as string)
      : characterOf(decimal === undefined ? Number.parseInt(hexadecimal as string, 16) : Number(decimal));
  return content === '' ? null : { end: place + whole.length, content };
}

/** Empty for a number that no XML document may name (XML 1.0, "Char"): such a reference is no reference. */
function characterOf(code: number): string {
  const allowed =
    code === 0x9 ||
    code === 0xa ||
    code === 0xd ||
    (code >= 0x20 && code <= 0xd7ff) ||
    (code >= 0xe000 && code <= 0xfffd) ||
    (code >= 0x1_0000 && code <= 0x10_ffff);
  return allowed ? String.fromCodePoint(code) : '';
}
