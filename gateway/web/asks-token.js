// What the login form asks for where identity is on.

export const asks = 'token';
