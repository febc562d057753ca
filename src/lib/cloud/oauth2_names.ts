// Names of OAuth 2.0 for grants and tokens, from RFC 7523 (assertions) and RFC 8693 (exchanging tokens).

export const jwtBearerGrant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
export const tokenExchangeGrant = "urn:ietf:params:oauth:grant-type:token-exchange";
export const jwtTokenType = "urn:ietf:params:oauth:token-type:jwt";
export const accessTokenType = "urn:ietf:params:oauth:token-type:access_token";
