/** What is durable, over the epochs of a partition. */
import { describe, expect, it } from 'vitest';
import { DurableWatermarks } from '../../src/usage/watermarks.js';

const at = (epoch: number, seq: number) => [{ partition: 0, epoch, seq }];

describe('what was applied in an epoch that is closed', () => {
  /** Epoch 1 was closed with seq 40; epoch 2, which began after it, is durable through 60. */
  function reopened(): DurableWatermarks {
    const watermarks = new DurableWatermarks(1);
    watermarks.advance(0, 1, 40);
    watermarks.closeEpoch(0, 1, 40);
    watermarks.advance(0, 2, 60);
    return watermarks;
  }

  it('must be sent again beyond its last entry, however far the next epoch has come', () => {
    expect(reopened().state(at(1, 50))).toBe('resend');
  });

  it('is durable through its last entry', () => {
    expect(reopened().state(at(1, 40))).toBe('durable');
  });

  it('waits until it is known how far it came', () => {
    const watermarks = new DurableWatermarks(1);
    watermarks.advance(0, 1, 40);
    watermarks.advance(0, 2, 60);
    expect(watermarks.state(at(1, 50))).toBe('pending');
  });

  it('takes no other position for lost', () => {
    expect(reopened().state(at(2, 60))).toBe('durable');
    expect(reopened().state(at(2, 61))).toBe('pending');
  });

  it('moves no watermark back', () => {
    const watermarks = reopened();
    watermarks.advance(0, 1, 70);
    expect(watermarks.durableThrough(0)).toMatchObject({ epoch: 2, seq: 60 });
  });

  it('is told to who waits for it', async () => {
    const watermarks = new DurableWatermarks(1);
    watermarks.advance(0, 1, 40);
    const waits = watermarks.wait(at(1, 50), Date.now() + 60_000);
    watermarks.closeEpoch(0, 1, 45);
    expect(await waits).toBe('resend');
  });
});
