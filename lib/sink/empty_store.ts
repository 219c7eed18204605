/**
 * MQTT.js's store of unacknowledged messages, without the messages: the journal has them.
 *
 * @module
 */

import { type IStore, Store } from "mqtt";
import { Readable } from "node:stream";

/** Keeps nothing, so nothing can be sent again behind the journal's back. */
export class EmptyStore extends Store {
  override put(...[, done]: Parameters<IStore["put"]>): this {
    done();
    return this;
  }

  override del(...[packet, done]: Parameters<IStore["del"]>): this {
    done(undefined, packet as Parameters<typeof done>[1]);
    return this;
  }

  /** The library's own stream leaves a timer behind. */
  override createStream(): ReturnType<IStore["createStream"]> {
    return Readable.from([]) as unknown as ReturnType<IStore["createStream"]>;
  }
}
