import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CharacterUnit, countCharacters } from '../../src/client/index.js';
import { packageRoot } from '../../src/paths.js';

const UNITS = ['code_points', 'utf16_units', 'bytes'] as const;

/** Counts by code points, UTF-16 units, bytes. */
type Counts = readonly [codePoints: number, utf16Units: number, bytes: number];

function counts(text: string, markup: 'counted' | 'not_counted'): Counts {
  const [a, b, c] = UNITS.map((unit) => countCharacters(text, { unit, markup }));
  return [a, b, c] as Counts;
}

describe('a text without markup', () => {
  it.each<[what: string, text: string, counts: Counts]>([
    ['nothing', '', [0, 0, 0]],
    ['ASCII', 'Hello, world!', [13, 13, 13]],
    ['spaces and line ends', ' a\r\n\tb ', [7, 7, 7]],
    ['an accent in one', 'café', [4, 4, 5]],
    ['an accent of its own', 'cafe\u0301', [5, 5, 6]],
    ['several marks on one letter', 'e\u0301\u0323\u0308', [4, 4, 7]],
    ['a letter of Devanagari with its signs', 'क्षि', [4, 4, 12]],
    ['Hangul in one and in parts', '각\u1100\u1161\u11a8', [4, 4, 12]],
    ['Chinese', '你好，世界', [5, 5, 15]],
    ['Chinese beyond U+FFFF', '𠮷野家', [3, 4, 10]],
    ['Japanese with a mark of its own', 'か\u3099', [2, 2, 6]],
    ['Arabic', 'مرحبا', [5, 5, 10]],
    ['Hebrew with vowels and marks of direction', '\u200fשָׁלוֹם\u200e', [9, 9, 20]],
    ['an emoji', '😀', [1, 2, 4]],
    ['an emoji with a tone of skin', '👍🏽', [2, 4, 8]],
    ['a family with joiners', '👨\u200d👩\u200d👧', [5, 8, 18]],
    ['a flag', '🇪🇺', [2, 4, 8]],
    ['a variation selector', '❤\ufe0f', [2, 2, 6]],
    ['a keycap', '1\ufe0f\u20e3', [3, 3, 7]],
    ['the first half of a pair alone', 'a\ud83db', [3, 3, 5]],
    ['the second half of a pair alone', 'a\ude00b', [3, 3, 5]],
    ['halves in the wrong order', '\ude00\ud83d', [2, 2, 6]],
    ['a half before a whole pair', '\ud83d\ud83d\ude00', [2, 3, 7]],
    ['a half at the end', 'ab\ud83d', [3, 3, 5]],
    ['the end of each length of UTF-8', '\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}', [7, 9, 19]],
    ['a byte order mark and a zero', '\ufeff\u0000', [2, 2, 4]],
  ])('%s', (_, text, expected) => {
    expect(counts(text, 'counted')).toEqual(expected);
    // Without '<' and '&' there is no markup.
    expect(counts(text, 'not_counted')).toEqual(expected);
  });

  it('has as many bytes as an encoder makes of it, and as many code points as a loop finds', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme' }), (half, whole) => {
        const text = half + whole;
        expect(counts(text, 'counted')).toEqual([
          [...text].length,
          text.length,
          new TextEncoder().encode(text).length,
        ]);
      }),
    );
  });

  it('has as many bytes as an encoder makes of halves of pairs', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0xd700, max: 0xe100 })), (codes) => {
        const text = String.fromCharCode(...codes);
        expect(countCharacters(text, { unit: 'bytes', markup: 'counted' })).toBe(
          new TextEncoder().encode(text).length,
        );
        expect(countCharacters(text, { unit: 'code_points', markup: 'counted' })).toBe([...text].length);
      }),
    );
  });
});

describe('markup that is not counted', () => {
  /** `spoken` is what must be counted of `text`. */
  it.each<[what: string, text: string, spoken: string]>([
    [
      'a whole document',
      '<?xml version="1.0"?>\n<speak version="1.1" xml:lang="en">Hi <break time="1s"/>there</speak>',
      '\nHi there',
    ],
    ['tags without attributes', '<p><s>One.</s> <s>Two.</s></p>', 'One. Two.'],
    ['an attribute with a closing bracket', '<sub alias="a > b">x</sub>', 'x'],
    ['an attribute with quotes in the other quotes', `<say-as a='he said "x>y"'>1</say-as>`, '1'],
    ['an attribute over several lines', '<voice\n name="a"\n>b</voice>', 'b'],
    ['a tag with a prefix', '<mstts:express-as style="sad">no</mstts:express-as>', 'no'],
    ['a tag of letters beyond ASCII', '<größe>5</größe>', '5'],
    ['a comment', 'a<!-- <b> & --c -> "quoted -->d', 'ad'],
    ['a document type', '<!DOCTYPE speak SYSTEM "x>y.dtd">a', 'a'],
    ['CDATA with markup and entities', 'a<![CDATA[ <b> &amp; ]] > ]]>c', 'a <b> &amp; ]] > c'],
    ['empty CDATA', '<![CDATA[]]>', ''],
    ['two sections of CDATA', '<![CDATA[a]]><![CDATA[😀]]>', 'a😀'],
    ['predefined entities', '&lt;AT&amp;T&gt; &quot;it&apos;s&quot;', `<AT&T> "it's"`],
    ['an entity that spells an entity', '&amp;amp;', '&amp;'],
    ['an entity that spells a tag', '&lt;b>', '<b>'],
    ['references by number', '&#8364;&#x20AC;&#x20ac;&#00065;', '€€€A'],
    ['a reference beyond U+FFFF', '&#128512;&#x1F600;', '😀😀'],
    [
      'references to what is no character',
      '&#0;&#8;&#xD800;&#xFFFE;&#x110000;&#99999999999;',
      '&#0;&#8;&#xD800;&#xFFFE;&#x110000;&#99999999999;',
    ],
    ['entities that nobody declared', '&nbsp;&eacute;&AMP;', '&nbsp;&eacute;&AMP;'],
    ['a bare ampersand', 'R&D & more &', 'R&D & more &'],
    ['an entity without its end', '&amp &#12 &#x;', '&amp &#12 &#x;'],
    ['a less-than that begins no tag', 'a < b <3 <> < p>', 'a < b <3 <> < p>'],
    ['a tag that does not end', 'a <break time="1s"', 'a <break time="1s"'],
    ['a tag that does not end before the next', 'a <b <i>c</i>', 'a <b c'],
    ['a quote that does not end', '<a b="c>d', '<a b="c>d'],
    ['a comment that does not end', 'a <!-- b > c', 'a <!-- b > c'],
    ['CDATA that does not end', '<![CDATA[ a &amp;', '<![CDATA[ a &'],
    ['an instruction that does not end', '<? a > b', '<? a > b'],
    ['a half of a pair beside tags', '<p>\ud83d</p>', '\ud83d'],
    ['a pair that a tag divides', '\ud83d<b/>\ude00', '\ufffd\ufffd'],
  ])('%s', (_, text, spoken) => {
    expect(counts(text, 'not_counted')).toEqual(counts(spoken, 'counted'));
  });

  it('is counted as written where markup counts', () => {
    const text = '<p>AT&amp;T &#x1F600;</p>';
    expect(counts(text, 'counted')).toEqual([text.length, text.length, text.length]);
    expect(counts(text, 'not_counted')).toEqual([6, 7, 9]);
  });

  it('never makes more of a text than is written, and nothing of what holds neither < nor &', () => {
    const pieces = fc.constantFrom(
      '<',
      '>',
      '<!--',
      '-->',
      '<![CDATA[',
      ']]>',
      '"',
      '&',
      'amp;',
      '#x41;',
      '/',
      'b',
      '😀',
      ' ',
    );
    fc.assert(
      fc.property(fc.array(pieces), fc.constantFrom<CharacterUnit>(...UNITS), (parts, unit) => {
        const text = parts.join('');
        const spoken = countCharacters(text, { unit, markup: 'not_counted' });
        expect(spoken).toBeLessThanOrEqual(countCharacters(text, { unit, markup: 'counted' }));
        const outside = text.replaceAll(/[<&]/g, '');
        expect(counts(outside, 'not_counted')).toEqual(counts(outside, 'counted'));
      }),
    );
  });

  it.each(['<', '<a ', '<a b="', '<!--', '<![CDATA[', '<?', '&', '&#1', '<!D'])(
    'reads a long text of nothing but %s without looking at it again and again',
    (piece) => {
      const text = piece.repeat(200_000);
      expect(countCharacters(text, { unit: 'utf16_units', markup: 'not_counted' })).toBe(text.length);
    },
  );
});

describe('docs/tts-characters.md', () => {
  const page = readFileSync(join(packageRoot, 'docs/tts-characters.md'), 'utf8');

  it('gives the counts that the helper gives', () => {
    const texts = ['a', 'é', 'e\u0301', '漢', '😀', '👨\u200d👩\u200d👧', '\ud83d'];
    const documented = page
      .split('\n')
      .filter((line) => /^\| `(code_points|utf16_units|bytes)`/.test(line))
      .map((line) =>
        line
          .split('|')
          .slice(3, -1)
          .map((cell) => Number(cell)),
      );
    expect(documented).toEqual(
      UNITS.map((unit) => texts.map((text) => countCharacters(text, { unit, markup: 'counted' }))),
    );
  });
});

describe('the package', () => {
  it('exports the helper as drawdown/client', () => {
    const manifest = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8'));
    expect(manifest.exports).toEqual({
      './client': { types: './dist/client/index.d.ts', default: './dist/client/index.js' },
    });
  });
});
