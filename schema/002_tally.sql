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
