-- What the scheduled jobs did. The original keeps nothing of its runs; two instances know from this table whose a run is.

CREATE TABLE job_runs (
    id                     INTEGER NOT NULL PRIMARY KEY,
    job                    TEXT NOT NULL,
    scheduled_at           TEXT NOT NULL,
    triggered_by           TEXT NOT NULL,
    target_date            DATE NOT NULL,
    started_at             TEXT NOT NULL,
    ended_at               TEXT,
    outcome                TEXT,
    error                  TEXT,
    price                  REAL,
    is_fallback            BOOLEAN,
    rows_daily_predictions INTEGER NOT NULL DEFAULT 0,
    rows_price_logs        INTEGER NOT NULL DEFAULT 0,
    rows_ai_predictions    INTEGER NOT NULL DEFAULT 0,
    instance               TEXT NOT NULL,
    UNIQUE (job, scheduled_at)
);
CREATE INDEX job_runs_scheduled_at_idx ON job_runs (scheduled_at DESC, id DESC);
