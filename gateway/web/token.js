// What a token says of its bearer, as far as the page shows it. The server alone checks tokens.

// The token in the page's address (#token=TOKEN, or #TOKEN), which is then removed from there; '' if
// there is none. What stands after # is sent to no server. (A token is base64 of `{"` at its begin.)
export function takeFromAddress() {
  const [found, named, bare] = /^#(?:token=([^&]*)|(eyJ[\w.-]+)$)/.exec(location.hash) ?? [];
  if (found !== undefined) history.replaceState(null, '', location.pathname + location.search);
  return named ?? bare ?? '';
}

// { userId, username } of a token, or null if it is none. A long number keeps its digits.
export function bearerOf(token) {
  try {
    const part = token.split('.')[1].replaceAll('-', '+').replaceAll('_', '/');
    const bytes = Uint8Array.from(atob(part), (c) => c.charCodeAt(0));
    const text = new TextDecoder().decode(bytes);
    const { sub, username } = JSON.parse(text);
    const [, digits] = /"sub"\s*:\s*(-?\d+)\s*[,}]/.exec(text) ?? [];
    const userId = typeof sub === 'number' ? digits : sub;
    if (typeof userId !== 'string' || userId === '') return null;
    return { userId, username: typeof username === 'string' ? username : undefined };
  } catch {
    return null;
  }
}
