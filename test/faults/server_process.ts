// Starts an executable of `fault_server.ts`, waits until it listens, and ends it as a crash does.

import { startService } from "../processes.ts";
import { builtProgram } from "../tested_program.ts";

/** Mistakes that a fault test must catch; see `fault_server.ts`. */
export type PlantedBug = "acknowledges-early" | "never-flushes";

export interface ServerProcess extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  /** SIGKILL, and waits for the end. */
  readonly kill: () => Promise<void>;
  readonly running: () => boolean;
}

const script = "test/faults/fault_server.ts";

/** `env` reaches the server's process; `tracer` starts it. @throws when it ends before it listens. */
export async function startFaultServer(
  root: string,
  planted: PlantedBug | null = null,
  env: Record<string, string> = {},
  tracer: readonly string[] = [],
): Promise<ServerProcess> {
  const program = await builtProgram(script);
  const command = [...tracer, program, root, ...(planted === null ? [] : [planted])];
  const service = startService(command, { env });
  const line = await service.waitForLine("the server listens", (text) =>
    text.startsWith("listening "),
  );
  const kill = async (): Promise<void> => {
    if (service.running()) process.kill(service.pid, "SIGKILL");
    await service.exited;
  };
  return {
    url: line.slice("listening ".length),
    pid: service.pid,
    kill,
    running: () => service.running(),
    [Symbol.asyncDispose]: kill,
  };
}
