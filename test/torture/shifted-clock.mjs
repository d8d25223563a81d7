// Loaded into a sidecar before anything else: its clock is off by as many milliseconds as the file of DRIFT_FILE says. What the machine counts (performance.now)
// goes on as it does.
import { readFileSync } from 'node:fs';

const lookEveryMs = 20;
const file = process.env.DRIFT_FILE;
const TrueDate = Date;
let shiftMs = 0;

setInterval(() => {
  try {
    shiftMs = Number(readFileSync(file, 'utf8')) || 0;
  } catch {
    shiftMs = 0;
  }
}, lookEveryMs).unref();

globalThis.Date = class extends TrueDate {
  constructor(...given) {
    if (given.length === 0) super(TrueDate.now() + shiftMs);
    else super(...given);
  }

  static now() {
    return TrueDate.now() + shiftMs;
  }
};
