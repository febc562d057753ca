/** The title of the window: the page, and the registry that it is of. */
import { useEffect } from "preact/hooks";

export function useTitle(text: string): void {
  useEffect(() => {
    document.title = text === "" ? window.location.host : `${text} · ${window.location.host}`;
  }, [text]);
}
