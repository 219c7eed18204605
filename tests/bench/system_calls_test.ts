import assert from "node:assert/strict";
import { callsIn } from "./system_calls.ts";

Deno.test("Calls of strace are counted by what they are for", () => {
  const { syncs, writesTo } = callsIn(String.raw`
20590 fsync(29</tmp/iiot/journal/journal.db-wal>) = 0
20590 fdatasync(30</tmp/iiot/other> <unfinished ...>
20581 writev(36<TCP:[127.0.0.1:5000->127.0.0.1:1883]>, [{iov_base="3", iov_len=1}, {iov_base="\37", iov_len=1}], 2) = 2
20590 <... fdatasync resumed>)       = 0
20581 sendto(36<TCP:[127.0.0.1:5000->127.0.0.1:1883]>, "\300\0", 2, MSG_NOSIGNAL, NULL, 0) = 2
20581 sendto(34<TCP:[127.0.0.1:5001->127.0.0.1:8086]>, "POST /api/v2/write?org=my-org&bu"..., 791, MSG_NOSIGNAL, NULL, 0) = 791
20581 sendto(37<TCP:[127.0.0.1:1883->127.0.0.1:5000]>, "x", 1, MSG_NOSIGNAL, NULL, 0) = 1
20581 write(4<anon_inode:[eventfd]>, "\1\0\0\0\0\0\0\0", 8) = 8
`);
  assert.equal(syncs, 2);
  assert.equal(writesTo(1883), 1);
  assert.equal(writesTo(8086), 1);
  assert.equal(writesTo(188), 0);
});
