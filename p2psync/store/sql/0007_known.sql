-- known_ns: when the stat of a row was so, by this computer's clock; 0 if it was not noted. A file whose bytes are others
-- though nobody has touched it since is damaged.
ALTER TABLE base ADD COLUMN known_ns INTEGER NOT NULL DEFAULT 0;
