/**
 * Part of every test file: a property that fails stops shrinking before its test's time is over, and tells the smallest example
 * so far. One that went on behind the next tests would disturb the stores that they share.
 */
import fc from 'fast-check';

/** Below the limit of a test with stores, 120 s, by what one run of a property may take. */
const PROPERTY_MAX_MS = 100_000;

fc.configureGlobal({ interruptAfterTimeLimit: PROPERTY_MAX_MS, markInterruptAsFailure: true });
