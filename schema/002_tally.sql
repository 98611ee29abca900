-- The table of objects anew, with the same columns and the same checks: for each list of more than
-- two words that a check or an index has behind IN, SQLite fills a little table whenever a row is
-- written, which took half of the time that planning or finishing an object needs.

CREATE TABLE object_2 (
    id          INTEGER PRIMARY KEY,
    transfer_id INTEGER NOT NULL REFERENCES transfer(id),
    name        TEXT NOT NULL,                -- below the source and the destination
    size        INTEGER NOT NULL CHECK (size >= 0), -- bytes
    modified_ms INTEGER,                      -- the source's, since the epoch
    etag        TEXT,                         -- the object's: of a download as it was listed,
                                              -- of an upload once it is done
    state       TEXT NOT NULL CHECK (state = 'planned' OR state = 'done' OR state = 'moving'
                                     OR state = 'creating' OR state = 'completing'
                                     OR state = 'publishing' OR state = 'skipped'
                                     OR state = 'failed'),
    generation  INTEGER NOT NULL DEFAULT 1 CHECK (generation > 0), -- counts its beginnings
    why         TEXT,                         -- of a failure or a skip
    CHECK (state NOT IN ('failed', 'skipped') OR why IS NOT NULL)
) STRICT;
INSERT INTO object_2 SELECT * FROM object;
DROP TABLE object;
ALTER TABLE object_2 RENAME TO object;

-- What `resume` reads: without it, ten million finished rows would come first.
CREATE INDEX object_due ON object (id)
    WHERE state <> 'done' AND state <> 'failed' AND state <> 'skipped';

-- How many objects of a transfer are in each state, and of how many bytes: nobody who asks has to
-- read ten million rows. haul itself writes what a transaction has changed here with that
-- transaction, at once, and pulls no trigger of any file; the triggers are for the edits of
-- others, by the sqlite3 shell for one.

CREATE TABLE tally (
    transfer_id INTEGER NOT NULL REFERENCES transfer(id),
    state       TEXT NOT NULL,                -- the objects'
    objects     INTEGER NOT NULL,
    bytes       INTEGER NOT NULL,
    PRIMARY KEY (transfer_id, state)
) STRICT, WITHOUT ROWID;

INSERT INTO tally
    SELECT transfer_id, state, count(*), CAST(total(size) AS INTEGER)
    FROM object GROUP BY transfer_id, state;

-- A sum too large for an integer would be a real number; CAST makes it the largest integer.

CREATE TRIGGER object_added AFTER INSERT ON object BEGIN
    INSERT INTO tally VALUES (new.transfer_id, new.state, 1, new.size)
        ON CONFLICT DO UPDATE SET objects = objects + 1,
                                  bytes = CAST(bytes + excluded.bytes AS INTEGER);
END;

CREATE TRIGGER object_removed AFTER DELETE ON object BEGIN
    UPDATE tally SET objects = objects - 1, bytes = CAST(bytes - old.size AS INTEGER)
        WHERE transfer_id = old.transfer_id AND state = old.state;
END;

CREATE TRIGGER object_changed AFTER UPDATE OF transfer_id, size, state ON object BEGIN
    UPDATE tally SET objects = objects - 1, bytes = CAST(bytes - old.size AS INTEGER)
        WHERE transfer_id = old.transfer_id AND state = old.state;
    INSERT INTO tally VALUES (new.transfer_id, new.state, 1, new.size)
        ON CONFLICT DO UPDATE SET objects = objects + 1,
                                  bytes = CAST(bytes + excluded.bytes AS INTEGER);
END;
