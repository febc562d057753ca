/** Where clients find the registry whose pages these are. */

/** As it stands in front of a repository's name. */
export const { host } = window.location;

export const isTls = window.location.protocol === "https:";

/** Behind `host` where the pages lie below a path of a proxy: `/registry`; else empty. */
export const pathOfProxy = new URL("..", document.baseURI).pathname.replace(/\/$/, "");
