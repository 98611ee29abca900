-- The queue of one run. Words instead of numbers, times in UTC; open it with sqlite3 and read.
-- A part that has no row is due. Files in schema/ are only ever added; user_version tells which
-- of them have run.

CREATE TABLE run (
    id            TEXT NOT NULL PRIMARY KEY,  -- 20260131T235959Z-1f2e
    name          TEXT NOT NULL,              -- the manifest's
    manifest      TEXT NOT NULL,              -- resolved, as JSON; never a secret
    manifest_file TEXT NOT NULL,              -- where it was read from, for people
    created_at    TEXT NOT NULL,
    finished_at   TEXT,                       -- NULL: something is still due
    paused        TEXT                        -- what has to be mended before `haul resume`
) STRICT, WITHOUT ROWID;

-- One row a transfer of the manifest: how far its source has been listed.
CREATE TABLE transfer (
    id       INTEGER PRIMARY KEY,             -- its place in the manifest, from 1
    position TEXT,                            -- the last name planned; NULL: none yet
    planned  INTEGER NOT NULL DEFAULT 0 CHECK (planned IN (0, 1))
) STRICT;

CREATE TABLE object (
    id          INTEGER PRIMARY KEY,
    transfer_id INTEGER NOT NULL REFERENCES transfer(id),
    name        TEXT NOT NULL,                -- below the source and the destination
    size        INTEGER NOT NULL CHECK (size >= 0), -- bytes
    modified_ms INTEGER,                      -- the source's, since the epoch
    etag        TEXT,                         -- the object's: of a download as it was listed,
                                              -- of an upload once it is done
    state       TEXT NOT NULL CHECK (state IN ('planned', 'creating', 'moving', 'completing',
                                               'publishing', 'done', 'failed', 'skipped')),
    generation  INTEGER NOT NULL DEFAULT 1 CHECK (generation > 0), -- counts its beginnings
    why         TEXT,                         -- of a failure or a skip
    CHECK (state NOT IN ('failed', 'skipped') OR why IS NOT NULL)
) STRICT;

-- What `resume` reads: without it, ten million finished rows would come first.
CREATE INDEX object_due ON object (id)
    WHERE state IN ('planned', 'creating', 'moving', 'completing', 'publishing');

-- An object that moves in parts, from its first commit until it is done.
CREATE TABLE motion (
    object_id   INTEGER PRIMARY KEY REFERENCES object(id),
    generation  INTEGER NOT NULL,
    part_bytes  INTEGER NOT NULL CHECK (part_bytes > 0),
    source      TEXT NOT NULL,                -- upload: device:inode:size:mtime:ctime (ns);
                                              -- download: the ETag that every range asks for
    began_ms    INTEGER NOT NULL,             -- by the server's clock
    token       TEXT,                         -- upload: x-amz-meta-haul, proves it is ours
    upload_id   TEXT,                         -- upload: committed before the first part goes
    temp        TEXT                          -- download: device:inode of the temporary file
) STRICT;

CREATE TABLE part (
    object_id INTEGER NOT NULL REFERENCES motion(object_id) ON DELETE CASCADE,
    number    INTEGER NOT NULL CHECK (number BETWEEN 1 AND 10000),
    state     TEXT NOT NULL CHECK (state IN ('sent', 'written', 'synced')),
    etag      TEXT,
    crc32c    INTEGER NOT NULL,
    PRIMARY KEY (object_id, number),
    CHECK (state <> 'sent' OR etag IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE TABLE event (
    id        INTEGER PRIMARY KEY,
    at        TEXT NOT NULL,
    event     TEXT NOT NULL,                  -- started, paused, restarted, failed, finished...
    object_id INTEGER REFERENCES object(id),
    detail    TEXT
) STRICT;
