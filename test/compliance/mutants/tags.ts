// Mutants of tag lists.

import { type Fault, valueOf, withBody, withHeader } from "../fault_proxy.ts";
import {
  again,
  changing,
  header,
  instead,
  isTags,
  json,
  ok,
  parameter,
  parse,
  plain,
  rewriting,
  status,
  withQuery,
  type Mutant,
} from "./tools.ts";

const link = (value: string | null): (() => Fault) =>
  changing(isTags, (a) =>
    valueOf(a.headers, "Link") === null
      ? a
      : { ...a, headers: withHeader(a.headers, "Link", value) },
  );
const editLink = (edit: (value: string) => string): (() => Fault) =>
  changing(isTags, (a) => {
    const value = valueOf(a.headers, "Link");
    return value === null ? a : { ...a, headers: withHeader(a.headers, "Link", edit(value)) };
  });

export const tagsMutants: readonly Mutant[] = [
  { breaks: "the list is 500", names: "tags/all", fault: status(isTags, 500) },
  {
    breaks: "a tag is missing",
    names: "tags/all",
    fault: json(isTags, (v) => ({ ...v, tags: v.tags.slice(1) })),
  },
  {
    breaks: "tags come backwards",
    names: "tags/order",
    fault: json(isTags, (v) => ({ ...v, tags: v.tags.toReversed() })),
  },
  {
    breaks: "tags come in no order",
    names: "tags/order",
    fault: json(isTags, (v) => ({
      ...v,
      tags: v.tags.toSorted((a: string, b: string) => a.length - b.length || (a > b ? -1 : 1)),
    })),
  },
  {
    breaks: "a tag is listed twice",
    names: "tags/unique",
    fault: json(
      (q) => isTags(q) && q.query === "",
      (v) => ({ ...v, tags: [...v.tags.slice(0, 1), ...v.tags] }),
    ),
  },
  {
    breaks: "the name is another",
    names: "tags/body",
    fault: json(isTags, (v) => ({ ...v, name: "other" })),
  },
  {
    breaks: "the list has the type of text",
    names: "tags/type",
    fault: header(isTags, "Content-Type", "text/plain"),
  },
  {
    breaks: "n is ignored",
    names: "tags/n",
    fault: rewriting(isTags, (q) => withQuery(q, (query) => query.delete("n"))),
  },
  {
    breaks: "n gives one too few",
    names: "tags/n",
    fault: json(
      (q) => isTags(q) && q.query.includes("n="),
      (v) => ({ ...v, tags: v.tags.slice(0, -1) }),
    ),
  },
  {
    breaks: "n gives one too many",
    names: "tags/n-one",
    fault: rewriting(isTags, (q) =>
      withQuery(q, (query) => query.get("n") === "1" && query.set("n", "2")),
    ),
  },
  { breaks: "Link is lost", names: "tags/link-offered", fault: link(null) },
  {
    breaks: "Link has another relation",
    names: "tags/link-format",
    fault: editLink((v) => v.replace("next", "prev")),
  },
  {
    breaks: "Link has no angle brackets",
    names: "tags/link-format",
    fault: editLink((v) => v.replace(/[<>]/g, "")),
  },
  {
    breaks: "Link leads to another host",
    names: "tags/link-format",
    fault: editLink((v) => v.replace("</", "<http://elsewhere.example.com/")),
  },
  { breaks: "Link skips a tag", names: "tags/walk", fault: skipping },
  {
    breaks: "Link leads to itself",
    names: "tags/walk",
    fault: changing(isTags, (a, q) =>
      valueOf(a.headers, "Link") === null
        ? a
        : { ...a, headers: withHeader(a.headers, "Link", `<${q.path}?${q.query}>; rel="next"`) },
    ),
  },
  {
    breaks: "the last page has a Link",
    names: "tags/large-n",
    fault: changing(
      (q) => isTags(q) && q.query.includes("n="),
      (a, q) => ({
        ...a,
        headers: withHeader(a.headers, "Link", `<${q.path}?n=1&last=zz>; rel="next"`),
      }),
    ),
  },
  {
    breaks: "an exactly full page has a Link",
    names: "tags/full-page",
    fault: () => linkWhenFull(),
  },
  { breaks: "last is included", names: "tags/last", fault: () => lastIncluded() },
  {
    breaks: "last is ignored without n",
    names: "tags/last",
    fault: rewriting(
      (q) => isTags(q) && !q.query.includes("n="),
      (q) => withQuery(q, (query) => query.delete("last")),
    ),
  },
  {
    breaks: "last has to exist",
    names: "tags/last-unknown",
    fault: instead(
      (q) => isTags(q) && q.query.includes(".between"),
      () => plain(404),
    ),
  },
  {
    breaks: "n=0 means all",
    names: "tags/zero",
    fault: rewriting(
      (q) => isTags(q) && parameter(q, "n") === "0",
      (q) => ({ ...q, query: "" }),
    ),
  },
  {
    breaks: "an empty list is null",
    names: "tags/zero",
    fault: json(isTags, (v) => ({ ...v, tags: v.tags.length === 0 ? null : v.tags })),
  },
  {
    breaks: "n=a is ignored",
    names: "tags/bad-n-a",
    fault: rewriting(
      (q) => isTags(q) && parameter(q, "n") === "a",
      (q) => ({ ...q, query: "" }),
    ),
  },
  { breaks: "n=-1 is 500", names: "tags/bad-n--1", fault: status(isTags, 500, [400]) },
];

function skipping(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    const value = valueOf(answer.headers, "Link");
    if (!isTags(request) || value === null) return answer;
    const { tags: all } = parse((await again(request, forward, "GET", request.path)).body);
    const shown = parse(answer.body).tags;
    const next = all[all.indexOf(shown.at(-1) ?? "") + 1] ?? "";
    const target = `<${request.path}?n=2&last=${encodeURIComponent(next)}>; rel="next"`;
    return { ...answer, headers: withHeader(answer.headers, "Link", target) };
  };
}

function linkWhenFull(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    if (!isTags(request) || !ok(answer)) return answer;
    const shown = parse(answer.body).tags;
    if (
      String(shown.length) !== parameter(request, "n") ||
      valueOf(answer.headers, "Link") !== null
    )
      return answer;
    const target = `<${request.path}?n=${shown.length}&last=${shown.at(-1) ?? ""}>; rel="next"`;
    return { ...answer, headers: withHeader(answer.headers, "Link", target) };
  };
}

function lastIncluded(): Fault {
  return async (request, forward) => {
    const answer = await forward(request);
    const last = parameter(request, "last");
    if (!isTags(request) || last === null || !ok(answer)) return answer;
    const parsed = parse(answer.body);
    return withBody(answer, JSON.stringify({ ...parsed, tags: [last, ...parsed.tags] }));
  };
}
