// What Deno 2.6.10 lacks of what a current Deno has. Imported before the program, where that is tried as an
// executable on this older runtime.
import * as timers from "node:timers";

// AbortSignal.any forgets its signals at a garbage collection: here they are held.
const { any } = AbortSignal;
const held = new Set();
AbortSignal.any = (signals) => {
  const signal = any.call(AbortSignal, signals);
  held.add(signal);
  return signal;
};

// Timers are numbers, and libraries call `refresh` on them. What makes the executable mends that too, but
// behind the imports, where the program has already run.
const { setTimeout, setInterval, clearTimeout, clearInterval } = timers;
Object.assign(globalThis, {
  setTimeout,
  setInterval,
  clearTimeout,
  clearInterval,
});
