/** Loads in a loop get feedback after some hundred bytecodes; before that V8 changes nothing. */
const LOADS = 1_000;

/**
 * Makes properties of strings fast again. A class that extends String, as ioredis declares one, leaves String.prototype as a dictionary, and in
 * V8 11 every `length` and `charCodeAt` of optimized code is a call then: a fifth of the sidecar's CPU. Loading a
 * property of a String object turns it back. Called once, after the import.
 */
export function restoreFastStrings(): void {
  const object = new String('');
  for (let i = 0; i < LOADS; i++) load(object);
}

function load(object: { readonly trim: unknown }): unknown {
  return object.trim;
}
