/** How long an address is good that a client is sent to: a transfer that has begun goes on. */
export const redirectSeconds = 20 * 60;
