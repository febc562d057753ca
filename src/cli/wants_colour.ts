// Whether standard output is a terminal that may be coloured (https://no-color.org).

export function wantsColour(): boolean {
  return process.stdout.isTTY && (process.env["NO_COLOR"] ?? "") === "";
}
