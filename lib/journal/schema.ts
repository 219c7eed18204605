/**
 * The journal's tables, and how an older file becomes a newer one.
 *
 * Migrations only add: a program one version older can still read every row that a newer one wrote.
 *
 * | table | one row is |
 * |---|---|
 * | `packets` | a telemetry packet: `seq` orders; `epoch` and `mono_us` say when; `total` is the running count of readings; `body` is the readings as `{"n1.t":27.6}`; `crc` is the CRC32 of all of it |
 * | `epochs` | a stretch of time in which the wall clock ran evenly: time of day = `offset_us` + `mono_us`; while `quality` is `unknown` the offset may still be corrected |
 * | `boards` | a board: its lines counted, what its clock did, and each reading's newest value |
 * | `sinks` | a sink's cursor and ledger; it belongs to `name` and `target`; `seal` is a checksum over both and where the journal ended |
 * | `parked` | a reading that a sink's server refuses for now |
 * | `rejects` | what could not be used, whole, with the reason |
 * | `adopted` | a file of a newer version that was put aside, and up to which of its rows it was taken over |
 *
 * A new column goes to the end of its table: a salvage finds rows by the columns they begin with.
 *
 * @module
 */

import type { Epoch } from "./disk.ts";

/**
 * The epoch of rows whose time of day was known before they were appended (rejects that were sent
 * again): their `mono_us` is it. Stands beside the others and outlives them.
 */
export const TIME_OF_DAY: Epoch = {
  id: 0,
  bootId: "",
  offsetUs: 0,
  quality: "known",
  knownBy: null,
  correctedUs: 0,
  firstUs: 0,
  lastUs: 0,
};

/** The time of a parked reading whose row was deleted before it was known when that happened. */
export const NO_TIME_US = 0;

/** That time in SQL, of a row of `packets` and its epoch. */
export const KEPT_TIME_US =
  `iif(quality = 'unknown', ${NO_TIME_US}, offset_us + mono_us)`;

/** Each step from one schema version to the next; `PRAGMA user_version` counts the steps taken. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE packets (
    seq      INTEGER PRIMARY KEY,
    board    INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    mono_us  INTEGER NOT NULL,
    board_ts INTEGER,
    readings INTEGER NOT NULL,
    total    INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    crc      INTEGER NOT NULL
  );
  CREATE TABLE epochs (
    id        INTEGER PRIMARY KEY,
    boot_id   TEXT    NOT NULL,
    offset_us INTEGER NOT NULL,
    quality   TEXT    NOT NULL,
    frozen    INTEGER NOT NULL DEFAULT 0
  );
  CREATE TABLE boards (
    id        INTEGER PRIMARY KEY,
    name      TEXT    NOT NULL UNIQUE,
    lines     INTEGER NOT NULL,
    packets   INTEGER NOT NULL,
    rejects   INTEGER NOT NULL,
    other     INTEGER NOT NULL,
    truncated INTEGER NOT NULL,
    latest    TEXT    NOT NULL
  );
  CREATE TABLE sinks (
    id         INTEGER PRIMARY KEY,
    name       TEXT    NOT NULL,
    target     TEXT    NOT NULL,
    active     INTEGER NOT NULL,
    seq        INTEGER NOT NULL,
    total      INTEGER NOT NULL,
    seen_total INTEGER NOT NULL,
    ahead      INTEGER NOT NULL,
    parked     INTEGER NOT NULL,
    received   INTEGER NOT NULL,
    requeued   INTEGER NOT NULL,
    delivered  INTEGER NOT NULL,
    dropped    TEXT    NOT NULL,
    UNIQUE (name, target)
  );
  CREATE TABLE parked (
    id      INTEGER PRIMARY KEY,
    sink    INTEGER NOT NULL,
    seq     INTEGER NOT NULL,
    board   INTEGER NOT NULL,
    time_us INTEGER NOT NULL,
    path    TEXT    NOT NULL,
    value   REAL    NOT NULL,
    reason  TEXT    NOT NULL
  );
  CREATE TABLE rejects (
    id      INTEGER PRIMARY KEY,
    time_us INTEGER NOT NULL,
    board   TEXT    NOT NULL,
    origin  TEXT    NOT NULL,
    reason  TEXT    NOT NULL,
    body    TEXT    NOT NULL
  );
  `,
  `
  ALTER TABLE sinks ADD COLUMN seal TEXT NOT NULL DEFAULT '';
  CREATE TABLE adopted (
    name TEXT    NOT NULL PRIMARY KEY,
    seq  INTEGER NOT NULL
  );
  `,
  // Stretches of rows that are done beyond the cursor, as JSON.
  "ALTER TABLE sinks ADD COLUMN delivered_ahead TEXT NOT NULL DEFAULT '[]'",
  `
  ALTER TABLE epochs ADD COLUMN known_by     TEXT;
  ALTER TABLE epochs ADD COLUMN corrected_us INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE epochs ADD COLUMN first_us     INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE epochs ADD COLUMN last_us      INTEGER;
  ALTER TABLE boards ADD COLUMN clock TEXT NOT NULL
    DEFAULT '{"reboots":0,"wraps":0,"repeats":0,"jumps":0}';
  -- Rows before this took the system's clock as it was, and their points may have left.
  UPDATE epochs SET quality = 'known', frozen = 1;
  UPDATE epochs SET first_us = extent.first, last_us = extent.last
    FROM (
      SELECT epoch, min(mono_us) AS first, max(mono_us) AS last FROM packets GROUP BY epoch
    ) AS extent
    WHERE extent.epoch = epochs.id;
  `,
];

/** The schema version this program writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;
