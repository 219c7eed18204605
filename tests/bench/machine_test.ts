import assert from "node:assert/strict";
import { fileSystemOf } from "./machine.ts";

Deno.test("fileSystemOf takes the mount that holds a path, and of two at one place the later", () => {
  const mounts = `/dev/vda / ext4 rw 0 0
tmpfs /tmp tmpfs rw 0 0
/dev/vdb /tmp/disk xfs rw 0 0
overlay /tmp overlay rw 0 0
`;
  const paths: [string, string][] = [
    ["/", "ext4"],
    ["/home/me", "ext4"],
    ["/tmp/iiot-bench", "overlay"],
    ["/tmp", "overlay"],
    ["/tmp/disk/x", "xfs"],
    ["/tmpfiles", "ext4"],
  ];
  for (const [path, type] of paths) {
    assert.equal(fileSystemOf(path, mounts), type, path);
  }
});
