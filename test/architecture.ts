// The house rules as data and pure functions over sources: layers, bans, headers, lengths, dependencies, paths.
//
// Each check takes sources and returns one line per violation, which says where, what, and what to do
// instead. `architecture.test.ts` runs them over the repository, and over sources that break each rule.

import { dirname, join, normalize } from "node:path";

export interface Source {
  /** From the package's root, with `/`. */
  readonly path: string;
  readonly text: string;
}

interface Layer {
  /** Folders of `src` that this one may import. */
  readonly may: readonly string[];
  /** Folders of which it may import types. */
  readonly mayTypes?: readonly string[];
  /** Files of other folders that may be imported whatever `may` says. */
  readonly files?: RegExp;
}

const low = ["lib", "oci"];
const core = [...low, "storage", "metadata"];
const served = [...core, "auth", "registry", "http"];

/** Who may import whom: `docs/ARCHITECTURE.md` draws it. */
export const layers: Readonly<Record<string, Layer>> = {
  lib: { may: [] },
  oci: { may: ["lib"] },
  storage: { may: low },
  metadata: { may: low },
  client: { may: low },
  transfer: { may: [...low, "client"] },
  inspect: { may: low },
  auth: { may: [...low, "metadata"] },
  registry: { may: [...core, "jobs", "inspect"] },
  jobs: { may: ["lib"] },
  http: { may: [...low, "auth"] },
  api: { may: [...served, "inspect"] },
  extensions: { may: [...served, "api", "client", "transfer", "jobs", "config"] },
  // An option stands beside the code that it changes, and so does the check of options that hang together.
  config: { may: ["lib"], files: /^src\/[a-z_/]+\/(check_)?options\.ts$/ },
  compliance: { may: [...low, "client"] },
  bench: { may: [...low, "client"] },
  cli: {
    may: [
      ...core,
      "auth",
      "registry",
      "jobs",
      "config",
      "client",
      "transfer",
      "inspect",
      "compliance",
      "bench",
      "server.ts",
    ],
    mayTypes: ["http"],
  },
  // It runs in browsers and talks to the registry as anybody does; of ours it has what is plain data and functions.
  ui: {
    may: [],
    files:
      /^src\/(lib\/push_commands|lib\/compare_versions|lib\/mirror_status|oci\/artifact_\w+|oci\/artifact_kinds\/\w+)\.ts$/,
  },
  "listeners.ts": { may: ["http", "lib", "config"] },
  "settings.ts": { may: [...served, "api", "config"] },
  server: { may: [...served, "api", "extensions", "jobs", "config", "transfer", "settings.ts"] },
  "server.ts": {
    may: [...served, "extensions", "jobs", "config", "server", "settings.ts", "listeners.ts"],
    mayTypes: ["api"],
  },
  "create_registry.ts": { may: [...low, "config", "http", "extensions", "server", "server.ts"] },
  "main.ts": { may: ["cli"] },
  "launch.ts": { may: ["cli", "main.ts"] },
};

/** Folders inside of a folder that only some may reach beside their own files: implementations behind a contract. */
const inner: readonly { readonly folder: RegExp; readonly from: RegExp; readonly say: string }[] = [
  {
    folder: /^src\/storage\/\w+\//,
    from: /^src\/(storage\/root_(lock|trust|note)|server\/\w+_root|server\/recovery\/\w+)\.ts$/,
    say: "use a contract of src/storage, such as blob_store.ts; a root of src/server opens what is behind it",
  },
  {
    folder: /^src\/metadata\/(sqlite|memory)\//,
    from: /^src\/(metadata\/memory\/\w+|server\/\w+_root)\.ts$/,
    say: "use the contract in src/metadata/metadata.ts; a root of src/server opens what is behind it",
  },
];

interface Import {
  readonly target: string;
  readonly typeOnly: boolean;
}

const transpilers = {
  ts: new Bun.Transpiler({ loader: "ts" }),
  tsx: new Bun.Transpiler({ loader: "tsx" }),
};
export const transpilerOf = (path: string): Bun.Transpiler =>
  transpilers[path.endsWith(".tsx") ? "tsx" : "ts"];
const isScript = (path: string): boolean => /\.tsx?$/.test(path);

/** Imports of our own files, as paths from the package's root. */
export function importsOf({ path, text }: Source): Import[] {
  const running = new Set(
    transpilerOf(path)
      .scan(text)
      .imports.map(({ path: target }) => target)
      .filter((target) => target.startsWith(".")),
  );
  // What is imported as a type leaves no trace in the program, and is found by its words.
  const written = [...withoutComments(text).matchAll(/\b(?:from|import)\s*\(?\s*"(\.[^"\n]*)"/g)];
  const all = new Set([...running, ...written.map(([, target]) => target ?? "")]);
  return [...all].map((target) => ({
    target: normalize(join(dirname(path), target)),
    typeOnly: !running.has(target),
  }));
}

const timeLimitPath = "scripts/bun";
const isTest = (path: string): boolean => path.endsWith(".test.ts");

/** The folder in `src`, or the file that stands there alone. */
const layerOf = (path: string): string => path.split("/")[1] ?? "";
/** The extension that a file of `src/extensions` belongs to; null for those that stand beside them. */
const extensionOf = (path: string): string | null =>
  /^src\/extensions\/(\w+)\//.exec(path)?.[1] ?? null;
/** What every extension may import of its neighbours. */
const extensionContract = "src/extensions/extension.ts";
/** What stands for an extension to the rest: its row of the table, its options with their checks, and its page of the documents. */
const extensionFace =
  /^src\/extensions\/(\w+)\/(\1_extension|options|check_options|reference)\.ts$/;

export function layerViolations(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path.startsWith("src/") && !isTest(path))
    .flatMap((source) => {
      const found = importsOf(source).flatMap((imported) => forbidden(source.path, imported));
      return [...new Set(found)];
    });
}

function forbidden(path: string, { target, typeOnly }: Import): string[] {
  if (!target.startsWith("src/")) return [];
  const from = layerOf(path);
  const to = layerOf(target);
  const layer = layers[from];
  if (layer === undefined)
    return [`${path}: ${from} is in no layer; add it to test/architecture.ts`];
  if (to === "extensions" && !meets(path, target)) {
    return [
      `${path}: extensions never meet, and are reached by their row (${target}); share through a lower layer`,
    ];
  }
  const admitted =
    from === to ||
    layer.may.includes(to) ||
    (typeOnly && layer.mayTypes?.includes(to) === true) ||
    layer.files?.test(target) === true;
  if (!admitted) return [`${path}: ${from} may not import ${to} (${target})`];
  return inner.flatMap(({ folder, from: admits, say }) => {
    const [own] = folder.exec(target) ?? [];
    if (own === undefined || path.startsWith(own) || admits.test(path)) return [];
    return [`${path}: ${own} is not to be imported here (${target}); ${say}`];
  });
}

/** Whether a file may import one of `src/extensions`, as far as extensions are concerned. */
function meets(path: string, target: string): boolean {
  const own = extensionOf(path);
  const other = extensionOf(target);
  if (own === null) return other === null || extensionFace.test(target);
  return other === own || target === extensionContract;
}

interface Ban {
  readonly banned: RegExp;
  /** Where it stands all the same. */
  readonly but: RegExp;
  /** Where the rule holds; everywhere in `src` without it. */
  readonly within?: RegExp;
  readonly say: string;
}

/** What is written in one place only, and what to write elsewhere. */
export const bans: readonly Ban[] = [
  {
    banned: /\bBun\.serve\b/,
    but: /^src\/http\/listen/,
    say: "listen() of src/http/listen.ts",
  },
  {
    banned: /\bnew Response\(/,
    but: /^src\/http\/response\.ts|^src\/http\/listen\.ts/,
    say: "a Reply, made by src/http/reply.ts",
  },
  {
    banned: /["']bun:sqlite["']/,
    but: /^src\/metadata\/(sqlite|memory)\//,
    say: "a method of Metadata",
  },
  {
    banned: /\{[^}]*\bSQL\b[^}]*\} from "bun"|\bBun\.(SQL|sql)\b/,
    but: /^src\/metadata\/postgres\/postgres_connections\.ts/,
    say: "a method of PostgresConnections, whose statements have deadlines",
  },
  {
    banned: /["'](node:)?fs(\/promises)?["']|\bBun\.(file|write)\b/,
    but: new RegExp(
      "^src/(storage/filesystem/|storage/(root_lock|root_trust|root_note|root_stores|other_registry)\\.ts|lib/(audit_log|file_trust|log|operator_files|program_commit|watched_file|shared_page|kept_files)\\.ts|config/|cli/|bench/|transfer/" +
        "|metadata/sqlite/sqlite_writer\\.ts|extensions/metrics/system_figures\\.ts|auth/token_key\\.ts|client/docker_login\\.ts|http/(listening_socket|listen_problem|tls_material)\\.ts|api/viewer\\.ts|extensions/ui/interface_pack\\.ts|server/(metadata_root|metadata_copy_root|postgres_root)\\.ts)",
    ),
    say: "a method of a store (src/storage); or watchFile() of src/lib/watched_file.ts for files of the operator",
  },
  {
    // On a full disk it says that all was written.
    banned: /\bFileSink\b|\.writer\(/,
    but: /^$/,
    within: /^src\/(storage|registry|metadata)\//,
    say: "a write whose length is checked (src/storage/filesystem/durable_files.ts)",
  },
  {
    banned: /\bprocess\.(env|argv)\b|\bBun\.(env|argv)\b/,
    // Proxies, and the logins of Docker and of clouds, are where programs look for them.
    but: /^src\/((main|launch)\.ts|config\/|cli\/|extensions\/sync\/sync_extension\.ts|server\/\w*object_root\.ts)/,
    say: "a value from the configuration",
  },
  {
    banned: /\bprocess\.exit\b/,
    but: /^src\/(main\.ts|cli\/)/,
    say: "an outcome that is returned, or an error that is thrown",
  },
  {
    banned: /\bconsole\./,
    but: /^$/,
    say: "the log (src/lib/log.ts), or the output that a command is given",
  },
  {
    banned: /\bDate\.now\(|\bnew Date\(\)|\bset(Timeout|Interval)\(|\bBun\.sleep\b/,
    // Browsers have a clock of their own.
    but: /^src\/(ui\/|lib\/(clock|log)\.ts|storage\/filesystem\/hash_worker\.ts|http\/(listen|tls_files|connection_limit|drain_limit|lingering|sent_bodies)|cli\/|bench\/|client\/(open_)?connection\.ts)/,
    say: "a Clock (src/lib/clock.ts): now(), monotonicMs(), sleep()",
  },
  {
    banned: /\bMath\.random\(/,
    but: /^$/,
    say: "crypto.randomUUID() or crypto.getRandomValues()",
  },
  {
    // What was sent must never become code, here or in a shell.
    banned:
      /\beval\(|\bnew Function\(|["'](node:)?(vm|child_process)["']|\bBun\.\$|\{[^}]*\$[^}]*\} from "bun"|["']bun:jsc["']/,
    but: /^$/,
    say: "Bun.spawn with a list of arguments, or JSON",
  },
  {
    // `_` in a name would stand for any character: a name would find other people's.
    banned: /\b(LIKE|GLOB)\s+[?$:'"]/,
    but: /^$/,
    say: "a range: name >= ?1 AND name < ?2",
  },
  {
    // What is not in the metadata may lie on disk unread; and what is found need not lie under the name that was asked.
    banned: /\bmetadata\.(manifestBy(Tag|Digest)|blobRecord|tags|referrers)\(/,
    but: /^src\/registry\/(resolve|push_manifest|older_metadata)\.ts$/,
    within: /^src\/(api|registry|extensions)\//,
    say: "src/registry/resolve.ts, which says what a reference means",
  },
  {
    banned: /\bTODO\b|\bFIXME\b|\bXXX\b/,
    but: /^$/,
    say: "an issue, or nothing",
  },
];

export function banViolations(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => path.startsWith("src/") && isScript(path) && !isTest(path))
    .flatMap(({ path, text }) => {
      const code = withoutComments(text).split("\n");
      return bans
        .filter(({ but, within }) => !but.test(path) && (within?.test(path) ?? true))
        .flatMap((ban) =>
          code.flatMap((line, at) => {
            const found = ban.banned.exec(line)?.[0];
            return found === undefined
              ? []
              : [`${path}:${at + 1}: ${found} is banned here; use ${ban.say}`];
          }),
        );
    });
}

/** Exceptions that no file needs any more. */
export function staleExceptions(sources: readonly Source[]): string[] {
  return bans
    .filter(({ banned, but }) => {
      const used = sources.some(
        ({ path, text }) => but.test(path) && banned.test(withoutComments(text)),
      );
      return but.source !== "^$" && !used;
    })
    .map(
      ({ banned, but }) =>
        `${String(but)} is excepted from ${String(banned)}, and nothing there needs it`,
    );
}

/** The text with comments blanked, line by line; what looks like one in a string stays. */
export function withoutComments(text: string): string {
  const token =
    /"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|`(?:[^`\\]|\\.)*`|\/\*[^]*?\*\/|\/\/[^\n]*/g;
  return text.replaceAll(token, (found) =>
    found.startsWith("/") ? found.replaceAll(/[^\n]/g, " ") : found,
  );
}

/** Containers and budgets at the top of a module begin empty and change; tables are filled where they stand. */
const moduleState =
  /^(?:export )?(?:let (\w+)|const (\w+)(?!: Readonly)[^=\n]*= new (?:(?:Map|Set|WeakMap|WeakSet)(?:<.*>)?\(\)|(?!Map|Set|RegExp|TextEncoder|TextDecoder|Error|URL\b|Uint8Array\(0\))\w+(?:<.*>)?\())/gm;

/**
 * State that belongs to a module is shared by all registries of a process: one would spend what another has, or
 * remember for it. `but` are those that may be shared, as `path: name`.
 */
export function stateViolations(sources: readonly Source[], but: readonly string[]): string[] {
  const found = sources
    .filter(({ path }) => path.startsWith("src/") && isScript(path) && !isTest(path))
    .flatMap(({ path, text }) =>
      [...withoutComments(text).matchAll(moduleState)].map(
        ([, variable, constant]) => `${path}: ${variable ?? constant ?? ""}`,
      ),
    );
  return [
    ...found
      .filter((name) => !but.includes(name))
      .map((name) => `${name} is state of a module; make it a part of an instance`),
    ...but.filter((name) => !found.includes(name)).map((name) => `${name} needs no exception`),
  ];
}

const headerLinesMax = 30;
/** A test's table speaks for itself; a source has promises to make. */
const headerLengthMin = (path: string): number =>
  path.startsWith("src/") && !isTest(path) ? 40 : 15;

/** Every file says at its top what it holds. */
export function headerViolations(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => isScript(path))
    .flatMap(({ path, text }) => {
      const header = headerOf(text);
      if (header.length < headerLengthMin(path)) {
        return [
          `${path}: the file does not open with a comment; say what it holds, promises and leaves to others`,
        ];
      }
      const lines = header.split("\n").length;
      return lines > headerLinesMax
        ? [`${path}: the header has ${lines} lines; at most ${headerLinesMax}`]
        : [];
    });
}

function headerOf(text: string): string {
  const code = text.replace(/^#!.*\n/, "").trimStart();
  return /^(?:\/\*[^]*?\*\/|(?:\/\/[^\n]*\n?)+)/.exec(code)?.[0] ?? "";
}

const linesMax = 450;

export function lengthViolations(sources: readonly Source[]): string[] {
  return sources
    .filter(({ path }) => /^(src|scripts)\//.test(path) && isScript(path) && !isTest(path))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
    .filter(({ lines }) => lines > linesMax)
    .map(
      ({ path, lines }) =>
        `${path}: ${lines} lines; at most ${linesMax}: split it by what it promises`,
    );
}

/** Limits of a test, and of a wait in one, that a slow machine could reach. */
const shortLimit =
  /^\s*\}, [1-5]?\d_\d{3}\);$|\b(?:eventually\(.* |closed\()[1-4]?\d_\d{3}\)|^\s*[1-4]?\d_\d{3},$|\btimeoutMs: [1-4]?\d_\d{3}\b|^\s*setDefaultTimeout\(/;

/** A test ends by its condition; `scripts/bun` and `processes.ts` say once when it counts as hanging. */
export function shortLimits(sources: readonly Source[]): string[] {
  return (
    sources
      .filter(({ path }) => path.startsWith("test/") || isTest(path))
      // It shows what is found.
      .filter(({ path }) => path !== "test/architecture.test.ts")
      .flatMap(({ path, text }) =>
        withoutComments(text)
          .split("\n")
          .flatMap((line, at) =>
            shortLimit.test(line)
              ? [
                  `${path}:${at + 1}: ${line.trim()} is a limit of its own; leave it to ${timeLimitPath}`,
                ]
              : [],
          ),
      )
  );
}

/** The page of reasons and package.json must name the same packages. */
export function dependencyViolations(manifest: Source, page: Source): string[] {
  const { dependencies = {}, devDependencies = {} } = JSON.parse(manifest.text) as Record<
    string,
    Record<string, string> | undefined
  >;
  const declared = Object.keys({ ...dependencies, ...devDependencies });
  const rows = [...page.text.matchAll(/^\| `([^`]+)` \| (.*) \|$/gm)];
  const explained = rows.map(([, name = ""]) => name);
  return [
    ...declared
      .filter((name) => !explained.includes(name))
      .map((name) => `${page.path}: ${name} is in package.json; say why`),
    ...explained
      .filter((name) => !declared.includes(name))
      .map((name) => `${page.path}: ${name} is not in package.json any more`),
    ...rows
      .filter(([, , reason = ""]) => reason.trim().length < 20)
      .map(([, name]) => `${page.path}: the reason for ${name} is too short to be one`),
    ...Object.entries({ ...dependencies, ...devDependencies })
      .filter(([, version]) => !/^\d+\.\d+\.\d+$/.test(version))
      .map(([name, version]) => `${manifest.path}: ${name} must be pinned, and is ${version}`),
  ];
}

/** No committed file knows the machine that it was written on. `places` are paths and names of that machine. */
export function placeViolations(sources: readonly Source[], places: readonly string[]): string[] {
  return sources.flatMap(({ path, text }) =>
    places
      .filter((place) => text.includes(place))
      .map(
        (place) =>
          `${path}: holds ${JSON.stringify(place)}, which is this machine's; use a neutral name`,
      ),
  );
}
