-- SPY-tracker's tables as its newest program makes them, and the checks that its migration asks for. Old files lack the
-- checks: there the rules are kept by whoever writes.
-- The uniqueness of predictions is an index and not a constraint, so that old files can be given it.

CREATE TABLE daily_predictions (
    id                INTEGER NOT NULL PRIMARY KEY,
    date              DATE NOT NULL,
    "preMarket"       FLOAT,
    "predLow"         FLOAT CHECK ("predLow" IS NULL OR "predLow" > 0),
    "predHigh"        FLOAT CHECK ("predHigh" IS NULL OR "predHigh" > 0),
    bias              VARCHAR,
    "volCtx"          VARCHAR,
    "dayType"         VARCHAR,
    "keyLevels"       VARCHAR,
    notes             VARCHAR,
    open              FLOAT CHECK (open IS NULL OR open > 0),
    noon              FLOAT CHECK (noon IS NULL OR noon > 0),
    "twoPM"           FLOAT CHECK ("twoPM" IS NULL OR "twoPM" > 0),
    close             FLOAT CHECK (close IS NULL OR close > 0),
    "realizedLow"     FLOAT,
    "realizedHigh"    FLOAT,
    "rangeHit"        BOOLEAN,
    "absErrorToClose" FLOAT,
    source            VARCHAR,
    locked            BOOLEAN,
    created_at        DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at        DATETIME,
    CHECK ("predLow" IS NULL OR "predHigh" IS NULL OR "predLow" <= "predHigh")
);
CREATE INDEX ix_daily_predictions_id ON daily_predictions (id);
CREATE UNIQUE INDEX ix_daily_predictions_date ON daily_predictions (date);

CREATE TABLE price_logs (
    id         INTEGER NOT NULL PRIMARY KEY,
    date       DATE NOT NULL,
    checkpoint VARCHAR NOT NULL,
    price      FLOAT NOT NULL CHECK (price > 0),
    created_at DATETIME DEFAULT CURRENT_TIMESTAMP
);
CREATE INDEX ix_price_logs_id ON price_logs (id);
CREATE INDEX ix_price_logs_date ON price_logs (date);
CREATE INDEX ix_price_logs_checkpoint ON price_logs (checkpoint);

CREATE TABLE ai_predictions (
    id               INTEGER NOT NULL PRIMARY KEY,
    date             DATE NOT NULL,
    checkpoint       VARCHAR NOT NULL,
    predicted_price  FLOAT NOT NULL,
    confidence       FLOAT NOT NULL CHECK (confidence >= 0 AND confidence <= 1),
    reasoning        VARCHAR,
    market_context   VARCHAR,
    actual_price     FLOAT,
    prediction_error FLOAT,
    interval_low     FLOAT,
    interval_high    FLOAT,
    interval_hit     BOOLEAN,
    source           VARCHAR,
    model            VARCHAR,
    prompt_version   VARCHAR,
    created_at       DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at       DATETIME
);
CREATE INDEX ix_ai_predictions_id ON ai_predictions (id);
CREATE INDEX ix_ai_predictions_date ON ai_predictions (date);
CREATE INDEX ix_ai_predictions_checkpoint ON ai_predictions (checkpoint);
CREATE UNIQUE INDEX uq_ai_prediction_date_checkpoint ON ai_predictions (date, checkpoint);

CREATE TABLE baseline_models (
    id          INTEGER NOT NULL PRIMARY KEY,
    name        VARCHAR NOT NULL UNIQUE,
    description VARCHAR,
    parameters  VARCHAR,
    is_active   BOOLEAN,
    created_at  DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at  DATETIME
);
CREATE INDEX ix_baseline_models_id ON baseline_models (id);

CREATE TABLE model_performance (
    id                INTEGER NOT NULL PRIMARY KEY,
    date              DATE NOT NULL,
    model_name        VARCHAR NOT NULL,
    mae               FLOAT,
    rmse              FLOAT,
    hit_rate_1dollar  FLOAT,
    interval_coverage FLOAT,
    created_at        DATETIME DEFAULT CURRENT_TIMESTAMP,
    updated_at        DATETIME,
    UNIQUE (date, model_name)
);
CREATE INDEX ix_model_performance_id ON model_performance (id);
CREATE INDEX ix_model_performance_date ON model_performance (date);
CREATE INDEX ix_model_performance_model_name ON model_performance (model_name);
