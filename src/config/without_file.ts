// What a start without a configuration serves beyond the defaults of a file: whoever tries the registry sees it.

export const withoutFile = {
  extensions: { search: { enable: true }, ui: { enable: true } },
} as const;
