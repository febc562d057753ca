/** Buttons that star and bookmark a repository. */
import { useState } from "preact/hooks";
import { toggle, type AboutRepository, type Preference } from "../core/preferences.ts";
import { Icon } from "./icons.tsx";
import { sayProblem } from "./toasts.tsx";

export function Stars({
  about,
  onChanged,
}: {
  readonly about: AboutRepository;
  readonly onChanged: () => void;
}) {
  const { row, isStarred, isBookmarked, stars } = about;
  const [isBusy, setBusy] = useState(false);
  const turn = async (preference: Preference): Promise<void> => {
    setBusy(true);
    try {
      await toggle(row.name, preference);
      onChanged();
    } catch (error) {
      sayProblem(error);
    }
    setBusy(false);
  };
  return (
    <span class="stars">
      <button
        type="button"
        class="turn"
        aria-pressed={isStarred}
        aria-label={`Star: ${stars}`}
        title="Star: it stands on your home page, and others see the number"
        data-key="s"
        disabled={isBusy}
        onClick={() => void turn("star")}
      >
        <Icon name="star" /> {stars.toLocaleString("en")}
      </button>
      <button
        type="button"
        class="turn"
        aria-pressed={isBookmarked}
        aria-label="Bookmark"
        title="Bookmark: it stands on your home page, and nobody else sees it"
        data-key="b"
        disabled={isBusy}
        onClick={() => void turn("bookmark")}
      >
        <Icon name="bookmark" />
      </button>
    </span>
  );
}
