/**
 * The catalogue as the board's JSON is nested: key by key.
 *
 * @module
 */

import type { Catalogue, Metric } from "../catalogue.ts";

/** What the catalogue knows at one key: a metric, keys below, or both. */
export interface PathNode {
  readonly metric: Metric | undefined;
  readonly children: ReadonlyMap<string, PathNode>;
}

/** The catalogue as a tree of keys. */
export function pathTree(catalogue: Catalogue): PathNode {
  const root: { metric: undefined; children: Map<string, PathNode> } = {
    metric: undefined,
    children: new Map(),
  };
  for (const metric of catalogue.values()) {
    const keys = metric.path.split(".");
    let children = root.children;
    keys.forEach((key, i) => {
      const known = children.get(key);
      const below = new Map(known?.children);
      const last = i === keys.length - 1;
      children.set(key, {
        metric: last ? metric : known?.metric,
        children: below,
      });
      children = below;
    });
  }
  return root;
}
