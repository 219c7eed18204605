/**
 * `${NAME}` in the configuration's strings: environment variables, so that one file serves a fleet.
 *
 * @module
 */

/** `$$`, or `${`, what follows up to a brace, and the brace if there is one. */
const REFERENCE = /\$(?:\$|\{([^}]*)(\}?))/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Where the loader looks up what is not in the file. */
export interface Environment {
  /** The value of an environment variable; an empty one counts as not set. */
  readonly env: (name: string) => string | undefined;
  /** The machine's name, for `${HOSTNAME}`, which shells do not export. */
  readonly hostname: () => string;
}

/** Options for {@linkcode expandVariables}. */
export interface ExpandOptions {
  /** What stands for a variable that is not set. @default {that is a fault} */
  readonly unset?: ((name: string) => string) | undefined;
}

/**
 * `text` with each `${NAME}` replaced and each `$$` as one dollar; any other `$` stays.
 *
 * @throws {RangeError} if a variable is not set or a brace does not hold a name; the message
 * continues a sentence that begins with the key
 */
export function expandVariables(
  text: string,
  environment: Environment,
  options: ExpandOptions = {},
): string {
  const unset = new Set<string>();
  const expanded = text.replace(
    REFERENCE,
    (found, name?: string, brace?: string) => {
      if (found === "$$") return "$";
      if (brace === "" || !NAME.test(name ?? "")) {
        throw new RangeError(
          'must name a variable as "${NAME}": write "$$" for a dollar',
        );
      }
      const value = lookUp(name!, environment);
      if (value !== undefined) return value;
      if (options.unset !== undefined) return options.unset(name!);
      unset.add(name!);
      return "";
    },
  );
  if (unset.size > 0) {
    const names = [...unset].map((name) => `"${name}"`).join(" and ");
    throw new RangeError(
      unset.size === 1
        ? `needs the environment variable ${names}: it is not set`
        : `needs the environment variables ${names}: they are not set`,
    );
  }
  return expanded;
}

/** The variable's value; undefined if it is not set or empty. */
export function lookUp(
  name: string,
  { env, hostname }: Environment,
): string | undefined {
  return env(name) || (name === "HOSTNAME" ? hostname() : undefined) ||
    undefined;
}
