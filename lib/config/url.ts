/**
 * The addresses of the servers, checked and brought into one form.
 *
 * @module
 */

const BROKER_SCHEMES: Record<string, { scheme: string; port: string }> = {
  "mqtt:": { scheme: "mqtt:", port: "1883" },
  "tcp:": { scheme: "mqtt:", port: "1883" },
  "mqtts:": { scheme: "mqtts:", port: "8883" },
  "ssl:": { scheme: "mqtts:", port: "8883" },
};

/**
 * A broker's URL with the scheme `mqtt` or `mqtts` (`tcp` and `ssl` are synonyms) and its port.
 *
 * @throws {RangeError} if `text` is no URL of a broker; the message does not contain it
 */
export function parseBrokerUrl(text: string): string {
  const url = parseUrl(text);
  const known = BROKER_SCHEMES[url?.protocol ?? ""];
  if (url === undefined || known === undefined) {
    throw new RangeError("must be mqtt://HOST:PORT or mqtts://HOST:PORT");
  }
  if (url.port === "0") throw new RangeError("must have a port of 1 to 65535");
  if (
    !["", "/"].includes(url.pathname) || url.search !== "" || url.hash !== ""
  ) {
    throw new RangeError("must end after the port");
  }
  try {
    decodeURIComponent(url.username + url.password);
  } catch {
    throw new RangeError(
      'must have "%" in its user name and password only as "%25"',
    );
  }
  const userInfo = url.username === "" && url.password === ""
    ? ""
    : `${url.username}${url.password === "" ? "" : `:${url.password}`}@`;
  return `${known.scheme}//${userInfo}${url.hostname}:${
    url.port || known.port
  }`;
}

/**
 * An http or https URL without a slash at its end; a path is kept (a proxy may want one).
 *
 * @throws {RangeError} if `text` is none; the message does not contain it
 */
export function parseHttpUrl(text: string): string {
  const url = parseUrl(text);
  if (url === undefined || !["http:", "https:"].includes(url.protocol)) {
    throw new RangeError("must be http://HOST:PORT or https://HOST:PORT");
  }
  if (url.username !== "" || url.password !== "") {
    throw new RangeError(
      "must not contain a user name or password: the token says who writes",
    );
  }
  if (url.search !== "" || url.hash !== "") {
    throw new RangeError('must not contain "?" or "#"');
  }
  return url.href.replace(/\/+$/, "");
}

/**
 * `text` with `***` in place of what can be a secret in a URL, correct or not: user name and password,
 * query and fragment.
 */
export function hideSecrets(text: string): string {
  return text
    // A password with "?" or a query with "@": where it ends is not known.
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*[?#].*@.*/is, "$1***")
    .replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, "$1***@")
    // "#" alone is no fragment: topics have it too.
    .replace(/^([^?#]*\?|[^?#]*[:@][^?#]*#).*/s, "$1***");
}

function parseUrl(text: string): URL | undefined {
  const url = URL.parse(text);
  return url === null || url.hostname === "" ? undefined : url;
}

/** Whether `host` means this machine; brackets of an IPv6 address are allowed. */
export function isLoopback(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[?::1\]?)$/i.test(host);
}
