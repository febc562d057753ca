/** A dialog of the browser's own kind: it keeps the focus inside, and Escape closes it. */
import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef } from "preact/hooks";

export function Dialog({
  title,
  onClose,
  children,
}: {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ComponentChildren;
}) {
  const place = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = place.current;
    if (dialog !== null && !dialog.open) dialog.showModal();
  }, []);
  const onClick = (event: MouseEvent): void => {
    // What lies beside the dialog belongs to it, too.
    if (event.target === place.current) onClose();
  };
  return (
    <dialog ref={place} aria-labelledby={id} onClose={onClose} onClick={onClick}>
      <div class="inside">
        <h2 id={id}>{title}</h2>
        {children}
      </div>
    </dialog>
  );
}
