/**
 * The row of the endpoint table for the page at `/`. A web interface, where there is one, takes its place.
 */
import type { Endpoint } from "../http/endpoint.ts";
import type { App } from "./app.ts";
import { getHome } from "./home.ts";
import { pageHeader, text } from "./page_answers.ts";

export const homeEndpoints: readonly Endpoint<App>[] = [
  {
    name: "home.page",
    spec: null,
    methods: ["GET", "HEAD"],
    path: "/",
    needs: "none",
    body: "none",
    answers: [
      {
        status: 200,
        says: "The page, for browsers.",
        headers: [
          pageHeader("Content-Length", "Bytes of the body."),
          pageHeader("Cache-Control", "Not kept: it speaks of the address that it was asked by."),
          pageHeader("Content-Security-Policy", "The page loads nothing."),
          pageHeader("Referrer-Policy", "Nobody is told where a link was followed."),
          pageHeader("Vary", "Only who accepts HTML gets the page."),
        ],
        content: [{ types: ["text/html"], schema: text }],
      },
      {
        status: 307,
        says: "Where the web interface is, while it is on.",
        headers: [
          pageHeader("Location", "The interface."),
          pageHeader("Content-Length", "Always 0."),
          pageHeader("Cache-Control", "Not kept."),
          pageHeader("Vary", "Only who accepts HTML is led there."),
        ],
      },
    ],
    errors: ["NOT_FOUND"],
    says: "Tell a person with a browser what this is and how to push",
    run: getHome,
  },
];
