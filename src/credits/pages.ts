import { DrawdownError } from '../errors.js';
import type { Page } from './types.js';

/** Pages whose token says how many items, or which one, came before. */

export function pageOffset(token: string): number {
  if (token === '') return 0;
  const value = Number(token);
  if (!/^\d{1,15}$/.test(token) || !Number.isSafeInteger(value)) {
    throw new DrawdownError('FIELD_INVALID', 'page_token: not one that this call returned', {
      field: 'page_token',
    });
  }
  return value;
}

/** Cuts the item that was read only to know whether there is a next page. */
export function pageOf<T>(items: T[], pageSize: number, tokenAfter: (last: T) => string): Page<T> {
  if (items.length <= pageSize) return { items, nextPageToken: '' };
  const page = items.slice(0, pageSize);
  return { items: page, nextPageToken: tokenAfter(page[page.length - 1] as T) };
}
