import assert from "node:assert/strict";
import { join } from "node:path";
import { EMPTY_COMMIT, type Epoch } from "../../lib/journal/disk.ts";
import { WorkerDisk } from "../../lib/journal/worker_disk.ts";
import { makeFolder, START_US } from "./world.ts";

const LOG_BYTES = 16 * 1024 * 1024;
const EPOCH: Epoch = {
  id: 1,
  bootId: "boot",
  offsetUs: START_US,
  quality: "unknown",
  knownBy: null,
  correctedUs: 0,
  firstUs: 0,
  lastUs: null,
};

Deno.test("WorkerDisk can write what is opened after it was begun, and then opened to be read", async () => {
  await using folder = await makeFolder();
  const path = join(folder.path, "journal.db");
  const disk = new WorkerDisk();
  try {
    disk.begin(path, LOG_BYTES);
    await disk.openForReading(path);
    await disk.open(path, LOG_BYTES);
    await disk.commit({ ...EMPTY_COMMIT, epochs: [EPOCH] });
    const { epochs } = await disk.open(path, LOG_BYTES);
    assert.deepEqual(epochs, [EPOCH]);
  } finally {
    await disk.close();
  }
});
