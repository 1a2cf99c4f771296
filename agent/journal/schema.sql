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

-- migration 3
CREATE TABLE lane (
    name  TEXT PRIMARY KEY,
    last  INTEGER NOT NULL,                       -- last lane_seq that was given
    done  INTEGER NOT NULL,                       -- every event up to this one needs no more sending
    bytes INTEGER NOT NULL                        -- of the bodies that are kept
) STRICT;
INSERT INTO lane
    SELECT substr(key, 6), CAST(value AS INTEGER), CAST(value AS INTEGER), 0 FROM meta WHERE key LIKE 'lane.%';
UPDATE lane SET
    done = coalesce((SELECT min(lane_seq) - 1 FROM outbox JOIN event USING (seq) WHERE event.lane = name), done),
    bytes = coalesce((SELECT sum(length(body)) FROM event WHERE event.lane = name), 0);
DELETE FROM meta WHERE key LIKE 'lane.%';

CREATE TABLE ahead (                              -- behind lane.done, and done too: acknowledged out of order, or in quarantine
    lane      TEXT    NOT NULL,
    lane_seq  INTEGER NOT NULL,
    PRIMARY KEY (lane, lane_seq)
) STRICT, WITHOUT ROWID;
INSERT INTO ahead
    SELECT event.lane, lane_seq FROM event JOIN lane ON lane.name = event.lane
    WHERE lane_seq > done AND seq NOT IN (SELECT seq FROM outbox);

CREATE TABLE attempt (
    seq       INTEGER PRIMARY KEY,
    attempts  INTEGER NOT NULL                    -- refused so far
) STRICT;
INSERT INTO attempt SELECT seq, attempts FROM outbox WHERE attempts > 0;
DROP TABLE outbox;

CREATE TABLE gap (                                -- events that were deleted on purpose: the chain goes on behind them
    first     INTEGER PRIMARY KEY,
    last      INTEGER NOT NULL,
    hash      TEXT    NOT NULL                    -- of the last one
) STRICT;
INSERT INTO gap
    SELECT 1, coalesce((SELECT min(seq) FROM event), (SELECT seq + 1 FROM sqlite_sequence WHERE name = 'event')) - 1, value
    FROM meta WHERE key = 'anchor';
DELETE FROM meta WHERE key = 'anchor';
