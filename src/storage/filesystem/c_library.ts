/** Functions of the C library, whose file has another name on each platform. */
import { dlopen, type FFIFunction } from "bun:ffi";

/** musl systems know it under another name. */
const libraries: readonly string[] =
  process.platform === "darwin"
    ? ["libSystem.B.dylib"]
    : ["libc.so.6", `libc.musl-${process.arch === "arm64" ? "aarch64" : "x86_64"}.so.1`, "libc.so"];

/** @throws Error when no library has all of the functions. */
export function openLibrary<Functions extends Record<string, FFIFunction>>(functions: Functions) {
  const causes: unknown[] = [];
  for (const library of libraries) {
    try {
      return dlopen(library, functions).symbols;
    } catch (cause) {
      causes.push(cause);
    }
  }
  const names = Object.keys(functions).join(", ");
  throw new Error(`storage: no C library with ${names} among ${libraries.join(", ")}`, {
    cause: new AggregateError(causes),
  });
}
