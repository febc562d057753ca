// Sizes in bytes: the binary units and how a size is shown to people.
//
// Everything inside the program is a plain number of bytes whose name ends in `Bytes`, `BytesMax`
// and so on; text appears only in messages, logs and tables. Reading sizes from configuration is
// left to the option that defines their syntax.

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;
export const TiB = 1024 * GiB;

const units = [
  { name: "TiB", bytes: TiB },
  { name: "GiB", bytes: GiB },
  { name: "MiB", bytes: MiB },
  { name: "KiB", bytes: KiB },
] as const;

/** Shows a number of bytes with at most one decimal: `0 B`, `1023 B`, `1 KiB`, `1.5 MiB`. */
export function formatBytes(n: number): string {
  const magnitude = Math.abs(n);
  for (const [index, unit] of units.entries()) {
    if (magnitude < unit.bytes) continue;
    const rounded = Math.round((n / unit.bytes) * 10) / 10;
    // 1023.96 KiB rounds to 1024.0, which is better said in the next unit.
    const larger = Math.abs(rounded) >= KiB ? units[index - 1] : undefined;
    return larger === undefined ? `${rounded} ${unit.name}` : `${Math.sign(n)} ${larger.name}`;
  }
  return `${n} B`;
}
