/**
 * Rows of the endpoint table for tokens and API keys, at the paths of the original.
 */
import { tokenPath } from "../auth/challenge.ts";
import type { Endpoint } from "../http/endpoint.ts";
import { answers } from "./answers.ts";
import { listApiKeys, makeApiKey, revokeApiKey } from "./api_keys.ts";
import type { App } from "./app.ts";
import { schemaOf } from "./schemas.ts";
import { getToken, postToken } from "./tokens.ts";

const text = { type: "string" } as const;
const apiKeyPath = "/zot/auth/apikey";

export const authEndpoints: readonly Endpoint<App>[] = [
  {
    name: "auth.token",
    spec: null,
    methods: ["GET", "HEAD"],
    path: tokenPath,
    needs: "none",
    body: "none",
    query: [
      { name: "service", says: "Name of this registry, as the challenge gives it.", schema: text },
      {
        name: "scope",
        says: "What the token is to be good for, such as `repository:team/app:pull,push`.",
        schema: text,
        repeats: true,
      },
    ],
    answers: [answers.token],
    errors: ["UNAUTHORIZED", "PARAMETER_INVALID", "NOT_FOUND"],
    says: "Get a token for a name and password, or an anonymous one",
    run: getToken,
  },
  {
    name: "auth.token-form",
    spec: null,
    methods: ["POST"],
    path: tokenPath,
    needs: "none",
    body: "bytes",
    takes: {
      types: ["application/x-www-form-urlencoded"],
      schema: schemaOf("TokenRequest"),
      required: true,
    },
    answers: [answers.token, answers.tokenRefused],
    errors: [
      "UNAUTHORIZED",
      "DENIED",
      "PARAMETER_INVALID",
      "REQUEST_INVALID",
      "REQUEST_TOO_LARGE",
      "CONTENT_ENCODING",
      "SIZE_INVALID",
      "NOT_FOUND",
    ],
    says: "Get a token as OAuth2 has it",
    run: postToken,
  },
  {
    name: "auth.key-list",
    spec: null,
    methods: ["GET", "HEAD"],
    path: apiKeyPath,
    needs: "login",
    body: "none",
    answers: [answers.apiKeys],
    errors: ["NOT_FOUND"],
    says: "List the caller's API keys",
    run: listApiKeys,
  },
  {
    name: "auth.key-make",
    spec: null,
    methods: ["POST"],
    path: apiKeyPath,
    needs: "login",
    body: "bytes",
    takes: { types: ["application/json"], schema: schemaOf("ApiKeyRequest"), required: true },
    answers: [answers.apiKeyMade],
    errors: [
      "NOT_FOUND",
      "REQUEST_INVALID",
      "REQUEST_TOO_LARGE",
      "CONTENT_ENCODING",
      "SIZE_INVALID",
    ],
    says: "Make an API key",
    run: makeApiKey,
  },
  {
    name: "auth.key-revoke",
    spec: null,
    methods: ["DELETE"],
    path: apiKeyPath,
    needs: "login",
    body: "none",
    query: [{ name: "id", says: "The key's uuid.", schema: text, required: true }],
    answers: [answers.apiKeyRevoked],
    errors: ["NOT_FOUND", "PARAMETER_INVALID"],
    says: "Revoke an API key",
    run: revokeApiKey,
  },
];
