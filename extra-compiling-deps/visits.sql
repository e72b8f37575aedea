-- Run once, by the database's image, when its volume is still empty.
CREATE TABLE visits (
    id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);
