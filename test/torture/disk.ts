/** Small disks for stores: tmpfs, which can be filled and emptied. */
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, realpathSync, rmSync, statfsSync, writeSync } from 'node:fs';
import { join } from 'node:path';

const mounted = new Set<SmallDisk>();
process.on('exit', () => {
  for (const disk of mounted) disk.unmount();
});

const chunk = Buffer.alloc(1_024 * 1_024);

export class SmallDisk {
  private constructor(private readonly directory: string) {}

  /** Mounted, or why that is not possible here. */
  static mount(directory: string, megabytes: number): SmallDisk | { readonly problem: string } {
    mkdirSync(directory, { recursive: true, mode: 0o711 });
    try {
      const options = `size=${megabytes}m,mode=0711`;
      execFileSync('mount', ['-t', 'tmpfs', '-o', options, 'tmpfs', directory], { stdio: 'pipe' });
    } catch (error) {
      const { stderr } = error as { stderr?: Buffer };
      const reason = (stderr?.toString() ?? String(error)).trim().split('\n')[0];
      return { problem: `no tmpfs can be mounted (${reason})` };
    }
    const disk = new SmallDisk(directory);
    mounted.add(disk);
    return disk;
  }

  /** Not one byte is left. */
  fill(): void {
    const file = openSync(this.#ballast, 'a');
    try {
      for (const bytes of [chunk, chunk.subarray(0, 4_096)]) {
        while (this.freeBytes > 0) writeSync(file, bytes);
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    } finally {
      closeSync(file);
    }
  }

  empty(): void {
    rmSync(this.#ballast, { force: true });
  }

  /** What is seen at a path lies on this disk. */
  holds(path: string): boolean {
    return realpathSync(path).startsWith(`${this.directory}/`);
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.directory);
    return bavail * bsize;
  }

  unmount(): void {
    mounted.delete(this);
    execFileSync('umount', ['-l', this.directory], { stdio: 'pipe' });
  }

  get #ballast(): string {
    return join(this.directory, 'ballast');
  }
}
