// What the login form asks for where identity is off. (A node with identity on answers with
// asks-token.js in its place.)

export const asks = 'name';
