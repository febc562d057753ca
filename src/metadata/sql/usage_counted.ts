/** What the totals of content and the triggers that keep them have in common. */

/** Behind every digest: all is counted. */
export const allCounted = "~";

/** The scope of all repositories, which is there while a quota counts own bytes. */
export const wholeScope = "(SELECT w.id FROM usage_scopes w WHERE w.key = '')";
