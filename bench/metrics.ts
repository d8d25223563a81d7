/** Sums of the samples of each metric, over all labels unless they are asked for. */
export type Metrics = (name: string, label?: string) => number;

/** Reads the text that Prometheus would. */
export async function readMetrics(url: string): Promise<Metrics> {
  const lines = (await (await fetch(url)).text()).split('\n');
  return (name, label) => {
    const samples = lines.filter(
      (line) => /^[{ ]/.test(line.slice(name.length)) && line.startsWith(name) && line.includes(label ?? ''),
    );
    if (samples.length === 0) throw new Error(`The sidecar has no metric ${name} ${label ?? ''}`.trimEnd());
    return samples.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
  };
}
