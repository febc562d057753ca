/** Methods that a rate can be given for, in the order of their places on the shared page. */
export const countedMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
