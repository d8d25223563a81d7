import {
  isAlias,
  isMap,
  isNode,
  isScalar,
  isSeq,
  Lexer,
  LineCounter,
  type Node,
  Parser,
  parseDocument,
} from 'yaml';
import { catalogNestingMax, catalogProblemsMax, catalogTextLengthMax, catalogTokensMax } from './limits.js';

/**
 * Reads YAML text into plain values that remember where they were written.
 *
 * Every scalar stays the text that the author typed (YAML's failsafe schema): 0.15 never becomes a double, a
 * date never becomes a Date, and JSON, being YAML, is read by the same code. Anchors, tags and repeated keys
 * are refused, so what a reader of the file sees is what it means.
 */

/** What a catalog is made of before the schema has judged it. */
export type Tree = string | Tree[] | { [key: string]: Tree };

export type TreePath = readonly PropertyKey[];

/** One mistake in a catalog. Lines and columns count from 1; `path` is empty for mistakes of the whole file. */
export interface CatalogProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** The problem as one line: `catalog.yaml:12:7 rate_card.models[0].name: is missing`. */
export function formatProblem(problem: CatalogProblem): string {
  const path = problem.path === '' ? '' : ` ${problem.path}:`;
  return `${problem.file}:${problem.line}:${problem.column}${path} ${problem.message}`;
}

/** The parser holds at most this many open pieces for one level of nesting (document, collection, item). */
const openPiecesPerLevel = 3;

/** Where on the page a mistake is. */
interface Position {
  readonly line: number;
  readonly column: number;
}

const beginning: Position = { line: 1, column: 1 };

/** Collects problems of one file, places them by path, and keeps their number bounded. */
export class ProblemList {
  readonly #file: string;
  readonly #positions = new Map<string, Position>();
  readonly #problems: CatalogProblem[] = [];
  #omitted = 0;

  constructor(file: string) {
    this.#file = file;
  }

  /** Remembers where the value (or, under `keyOf`, the key) at `path` was written. */
  locate(path: TreePath, position: Position): void {
    this.#positions.set(pathKey(path), position);
  }

  /** Adds a mistake at `path`; where nothing was written there (a missing key), at what should contain it. */
  add(path: TreePath, message: string): void {
    let position: Position | undefined;
    for (let length = path.length; position === undefined && length >= 0; length--) {
      position = this.#positions.get(pathKey(path.slice(0, length)));
    }
    this.addAt(position ?? beginning, path, message);
  }

  addAt(position: Position, path: TreePath, message: string): void {
    if (this.#problems.length >= catalogProblemsMax) {
      this.#omitted++;
      return;
    }
    this.#problems.push({ file: this.#file, ...position, path: formatPath(path), message });
  }

  get isEmpty(): boolean {
    return this.#problems.length === 0;
  }

  /** All problems in the order of the file; a last one says how many were left out. */
  sorted(): CatalogProblem[] {
    const problems = [...this.#problems].sort((a, b) => a.line - b.line || a.column - b.column);
    if (this.#omitted > 0) {
      const message = `${this.#omitted} more mistakes are not listed`;
      problems.push({ file: this.#file, ...(problems.at(-1) ?? beginning), path: '', message });
    }
    return problems;
  }
}

function pathKey(path: TreePath): string {
  return JSON.stringify(path);
}

/** `rate_card.models[0].name`; a key that is no plain name is quoted: `meters["a b"]`. */
function formatPath(path: TreePath): string {
  let text = '';
  for (const part of path) {
    if (typeof part === 'number') text += `[${part}]`;
    else if (/^[A-Za-z_][A-Za-z0-9_]*$/.test(String(part)))
      text += text === '' ? String(part) : `.${String(part)}`;
    else text += `[${JSON.stringify(String(part).slice(0, 140))}]`;
  }
  return text;
}

/** Reads the text. Mistakes go to `problems`; without any, the result is defined. */
export function readTree(text: string, problems: ProblemList): Tree | undefined {
  if (text.length > catalogTextLengthMax) {
    problems.add([], `the catalog is longer than ${catalogTextLengthMax} characters`);
    return undefined;
  }
  const refusal = refuseCostlyText(text);
  if (refusal !== undefined) {
    problems.add([], refusal);
    return undefined;
  }
  const lines = new LineCounter();
  const position = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  // uniqueKeys is off because the library compares every pair of keys, quadratic in what a caller may send;
  // readMap refuses repeated keys by a set.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    schema: 'failsafe',
    uniqueKeys: false,
    version: '1.2',
  });
  for (const error of [...document.errors, ...document.warnings]) {
    problems.addAt(position(error.pos[0]), [], `not valid YAML: ${error.message}`);
  }
  const contents = document.contents;
  if (!problems.isEmpty) return undefined;
  if (contents === null || (isScalar(contents) && contents.value === '')) {
    problems.add([], 'the catalog is empty');
    return undefined;
  }
  return new TreeReader(problems, position).read(contents, []);
}

/**
 * Judges the text by its tokens alone, before the recursive part of the parser sees it. A text of nothing but
 * brackets does not end in an exception there: close to the end of the stack the engine cannot compile the
 * parser's expressions and ends the process.
 */
function refuseCostlyText(text: string): string | undefined {
  const parser = new Parser();
  let tokens = 0;
  for (const token of new Lexer().lex(text)) {
    tokens++;
    if (tokens > catalogTokensMax) return `the catalog has more than ${catalogTokensMax} tokens`;
    for (const _ of parser.next(token)) {
      // Finished pieces are of no interest here.
    }
    if (parser.stack.length > catalogNestingMax * openPiecesPerLevel) return 'the catalog nests too deeply';
  }
  return undefined;
}

class TreeReader {
  readonly #problems: ProblemList;
  readonly #position: (offset: number) => Position;

  constructor(problems: ProblemList, position: (offset: number) => Position) {
    this.#problems = problems;
    this.#position = position;
  }

  /** The value of one node. Where there is none it is empty text, and the schema says what is wanted. */
  read(node: unknown, path: TreePath): Tree {
    // The value of `key: value` is reported where its key is: that is the line an author looks for.
    if (path.length === 0 || typeof path.at(-1) === 'number') this.#problems.locate(path, this.#at(node));
    if (isAlias(node) || (isNode(node) && node.anchor !== undefined)) {
      this.#problems.addAt(this.#at(node), path, 'anchors and aliases (&, *) are not supported');
    }
    if (isNode(node) && node.tag !== undefined) {
      this.#problems.addAt(this.#at(node), path, 'tags (!) are not supported');
    }
    if (isMap(node)) return this.#readMap(node.items, path);
    if (isSeq(node)) return node.items.map((item, index) => this.read(item, [...path, index]));
    return isScalar(node) ? String(node.value ?? '') : '';
  }

  #readMap(pairs: readonly { key: unknown; value: unknown }[], path: TreePath): Tree {
    const map: { [key: string]: Tree } = {};
    const seen = new Set<string>();
    for (const { key, value } of pairs) {
      if (
        !isScalar(key) ||
        key.anchor !== undefined ||
        key.tag !== undefined ||
        typeof key.value !== 'string'
      ) {
        this.#problems.addAt(this.#at(key), path, 'a key must be plain text');
        continue;
      }
      const name = key.value;
      const childPath = [...path, name];
      if (seen.has(name)) {
        this.#problems.addAt(this.#at(key), childPath, 'is written twice');
        continue;
      }
      seen.add(name);
      this.#problems.locate(childPath, this.#at(key));
      // Assigning this one name would change the object's prototype instead of adding a key.
      if (name === '__proto__') {
        this.#problems.add(childPath, 'is not a usable name');
        continue;
      }
      map[name] = this.read(value, childPath);
    }
    return map;
  }

  #at(node: unknown): Position {
    const range = (node as Node | null)?.range;
    return range ? this.#position(range[0]) : beginning;
  }
}
