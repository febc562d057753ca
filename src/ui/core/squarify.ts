/**
 * Rectangles whose areas are in proportion to values, as square as they come: the layout of a map of what takes room.
 *
 * Bruls, Huizing, van Wijk, "Squarified Treemaps" (2000): rows are filled along the shorter side for as long as their
 * worst shape gets better.
 */

/** In parts of the whole, from 0 to 1. */
export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * An area for each value, in their order, inside a box of `width` by `height`. Values are above 0 and come largest
 * first.
 */
export function squarify(values: readonly number[], width: number, height: number): Area[] {
  const sum = values.reduce((before, value) => before + value, 0);
  const scale = (width * height) / sum;
  const sizes = values.map((value) => value * scale);
  const areas: Area[] = [];
  let free = { x: 0, y: 0, width, height };
  for (let start = 0; start < sizes.length;) {
    const side = Math.min(free.width, free.height);
    const row = rowFrom(sizes, start, side);
    const rowSize = row.reduce((before, size) => before + size, 0);
    const depth = side === 0 ? 0 : rowSize / side;
    areas.push(...placed(row, free, depth));
    free = without(free, depth);
    start += row.length;
  }
  return areas.map((area) => ({
    x: area.x / width,
    y: area.y / height,
    width: area.width / width,
    height: area.height / height,
  }));
}

/** The sizes from `start` on that share a row: for as long as the worst of them gets no worse. */
function rowFrom(sizes: readonly number[], start: number, side: number): number[] {
  const row: number[] = [];
  let worstBefore = Infinity;
  for (const size of sizes.slice(start)) {
    const worst = worstShape([...row, size], side);
    if (worst > worstBefore) break;
    row.push(size);
    worstBefore = worst;
  }
  return row;
}

/** The longest of the rectangles of a row: the longer side by the shorter one. */
function worstShape(row: readonly number[], side: number): number {
  const sum = row.reduce((before, size) => before + size, 0);
  const depth = sum / side;
  return Math.max(...row.map((size) => Math.max((depth * depth) / size, size / (depth * depth))));
}

function placed(row: readonly number[], free: Area, depth: number): Area[] {
  const isColumn = free.width >= free.height;
  let at = isColumn ? free.y : free.x;
  return row.map((size) => {
    const length = depth === 0 ? 0 : size / depth;
    const area = isColumn
      ? { x: free.x, y: at, width: depth, height: length }
      : { x: at, y: free.y, width: length, height: depth };
    at += length;
    return area;
  });
}

function without(free: Area, depth: number): Area {
  return free.width >= free.height
    ? { ...free, x: free.x + depth, width: Math.max(0, free.width - depth) }
    : { ...free, y: free.y + depth, height: Math.max(0, free.height - depth) };
}
