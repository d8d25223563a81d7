/** How amounts, times and tables are shown to people. */

const microsPerCredit = 1_000_000n;

/** 1234567 micro-credits -> 1.234567 */
export function formatCredits(micros: string): string {
  const value = BigInt(micros);
  const size = value < 0n ? -value : value;
  const fraction = (size % microsPerCredit).toString().padStart(6, '0');
  return `${value < 0n ? '-' : ''}${size / microsPerCredit}.${fraction}`;
}

/** An amount with its unit; credits with all their decimals. */
export function formatAmount(unit: string, value: string): string {
  if (unit === 'UNIT_CREDITS') return `${formatCredits(value)} credits`;
  return unit === 'UNIT_UNSPECIFIED' ? value : `${value} ${unitLabel(unit)}`;
}

/** UNIT_TTS_CHARACTERS -> tts_characters */
export function unitLabel(unit: string): string {
  return unit.replace(/^UNIT_/, '').toLowerCase();
}

/** 0 is how the protocol says never, or not known. */
export function formatTime(milliseconds: string): string {
  return milliseconds === '0' ? '-' : new Date(Number(milliseconds)).toISOString();
}

/** Name and value pairs, aligned. */
export function formatFields(fields: readonly (readonly [name: string, value: string])[]): string {
  const width = Math.max(...fields.map(([name]) => name.length));
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${value}`.trimEnd()).join('\n');
}

export interface Column {
  readonly title: string;
  readonly right?: boolean;
}

export function formatTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const widths = columns.map(({ title }, index) =>
    Math.max(title.length, ...rows.map((row) => row[index]?.length ?? 0)),
  );
  const line = (cells: readonly string[]): string =>
    columns
      .map(({ right }, index) => {
        const cell = cells[index] ?? '';
        const width = widths[index] ?? 0;
        return right === true ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd();
  return [columns.map(({ title }) => title), ...rows].map(line).join('\n');
}
