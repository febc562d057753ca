/** Icons as paths of 24 by 24, drawn in the colour of the text. They say nothing that the words beside them do not. */

const paths = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5 12 4.5 4.5",
  copy: "M9 9h10v11H9zM5 15V4h10",
  check: "M5 12.5 10 17.5 19.5 7",
  tag: "M4 4h7l9 9-7 7-9-9V4Zm4.2 4.2h.01",
  box: "M12 3 4 7.2v9.6L12 21l8-4.2V7.2L12 3ZM4 7.2l8 4.3 8-4.3M12 11.5V21",
  layers: "M12 3 3 8l9 5 9-5-9-5ZM3 12.5l9 5 9-5M3 17l9 5 9-5",
  clock: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Zm0 4v4.5l3 2",
  trash: "M4 7h16M9 7V4h6v3M6.5 7l1 13h9l1-13M10 11v5M14 11v5",
  undo: "M9 6 4.5 10.5 9 15M5 10.5h9a5 5 0 0 1 0 10h-3",
  key: "M15 4a5 5 0 1 1-4.6 7L4 17.4V20h3.5v-2.5H10V15h1.5l1.6-1.6M16 8.2h.01",
  disk: "M4 6c0-1.7 3.6-3 8-3s8 1.300 8 3-3.600 3-8 3-8-1.300-8-3Zm0 0v12c0 1.700 3.600 3 8 3s8-1.300 8-3V6M4 12c0 1.700 3.600 3 8 3s8-1.300 8-3",
  broom: "M19 4 12 11M8 10l6 6-4 4.500c-3-.3-5.500-2.300-6.500-5.500L8 10Z",
  mirror: "M4 8h13l-3.500-3.500M20 16H7l3.500 3.500",
  compare: "M9 4H4v16h5M15 4h5v16h-5M12 2v20",
  shield:
    "M12 3 5 6v5c0 4.500 2.800 8.300 7 10 4.200-1.700 7-5.500 7-10V6l-7-3Zm-3 9 2.200 2.200L15.500 10",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM12 2v2.500M12 19.500V22M2 12h2.500M19.500 12H22M5 5l1.700 1.700M17.300 17.300 19 19M19 5l-1.700 1.700M6.700 17.300 5 19",
  moon: "M20 14.500A8.200 8.200 0 0 1 9.500 4 8.200 8.200 0 1 0 20 14.500Z",
  out: "M10 4H5v16h5M15 8l4 4-4 4M19 12H9.500",
  star: "M12 3.500 14.600 9l6 .8-4.400 4.200 1.100 6L12 17.100 6.700 20l1.100-6L3.400 9.800l6-.8L12 3.500Z",
  bookmark: "M7 4h10v16.500l-5-4-5 4V4Z",
  person:
    "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8ZM4.500 20c.8-3.500 3.800-5.500 7.500-5.500s6.700 2 7.500 5.500",
  help: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Zm-2.300 6.200c0-1.300 1-2.200 2.300-2.200s2.300.9 2.300 2.100c0 1.600-2.300 1.800-2.300 3.500M12 16.300h.01",
  warning: "M12 4 2.800 20h18.400L12 4Zm0 6v4.500M12 17.300h.01",
  list: "M5 6h14M5 12h14M5 18h9",
  close: "M6 6l12 12M18 6 6 18",
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { readonly name: IconName }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={paths[name]} />
    </svg>
  );
}
