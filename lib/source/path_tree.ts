/**
 * The catalogue as the board's JSON is nested: key by key, and index by index.
 *
 * @module
 */

import type { Catalogue, Metric } from "../catalogue.ts";
import { parsePath } from "../field_path.ts";

/** What the catalogue knows at one place: a metric, places below, or both. */
export interface PathNode {
  readonly metric: Metric | undefined;
  /** By the keys of an object. */
  readonly children: ReadonlyMap<string, PathNode>;
  /** By the indexes of an array. */
  readonly items: ReadonlyMap<number, PathNode>;
}

interface OpenNode extends PathNode {
  metric: Metric | undefined;
  readonly children: Map<string, OpenNode>;
  readonly items: Map<number, OpenNode>;
}

/** The catalogue as a tree. */
export function pathTree(catalogue: Catalogue): PathNode {
  const root = emptyNode();
  for (const metric of catalogue.values()) {
    let node = root;
    for (const part of parsePath(metric.path) ?? []) {
      node = typeof part === "number"
        ? below(node.items, part)
        : below(node.children, part);
    }
    node.metric = metric;
  }
  return root;
}

function below<K>(nodes: Map<K, OpenNode>, part: K): OpenNode {
  let node = nodes.get(part);
  if (node === undefined) nodes.set(part, node = emptyNode());
  return node;
}

function emptyNode(): OpenNode {
  return { metric: undefined, children: new Map(), items: new Map() };
}
