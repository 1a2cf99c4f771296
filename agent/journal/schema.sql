-- Forward-only, numbered migrations. PRAGMA user_version holds the number of the last one that was applied.

-- migration 1
CREATE TABLE event (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused
    lane      TEXT    NOT NULL,
    lane_seq  INTEGER NOT NULL,                   -- gap-free within its lane
    id        TEXT    NOT NULL,                   -- UUIDv7, by which the centre removes duplicates
    kind      TEXT    NOT NULL,
    wall_ns   INTEGER NOT NULL,
    body      BLOB    NOT NULL,                   -- the CloudEvents envelope as it is sent
    crc       INTEGER NOT NULL,                   -- CRC-32 of body
    hash      TEXT    NOT NULL                    -- sha256 of the previous hash and body
) STRICT;
CREATE UNIQUE INDEX event_lane ON event (lane, lane_seq);

CREATE TABLE outbox (
    seq       INTEGER PRIMARY KEY REFERENCES event (seq) ON DELETE CASCADE,
    rank      INTEGER NOT NULL,                   -- of its lane; the lowest is sent first
    attempts  INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX outbox_order ON outbox (rank, seq);

CREATE TABLE quarantine (
    seq       INTEGER PRIMARY KEY,
    reason    TEXT    NOT NULL,
    wall_ns   INTEGER NOT NULL
) STRICT;

CREATE TABLE alarm (
    id        TEXT PRIMARY KEY,
    body      TEXT NOT NULL,
    boot_id   TEXT NOT NULL                       -- on which its monotonic deadlines count
) STRICT;

CREATE TABLE meta (
    key       TEXT PRIMARY KEY,
    value     TEXT NOT NULL
) STRICT;                                         -- 'lane.<lane>': last lane_seq; 'hash': last hash; 'anchor': hash before the oldest row

-- migration 2
CREATE TABLE memory (
    rule        TEXT PRIMARY KEY,                 -- id of the alarm
    fingerprint TEXT NOT NULL,                    -- of its condition; to another condition it means nothing
    body        TEXT NOT NULL,                    -- JSON
    boot_id     TEXT NOT NULL,                    -- on which its monotonic times count
    saved_ns    INTEGER NOT NULL                  -- wall clock
) STRICT;
