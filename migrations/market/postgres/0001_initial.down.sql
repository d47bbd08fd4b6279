-- IF EXISTS, because this also undoes a run that was killed half-way.

DROP TABLE IF EXISTS model_performance;
DROP TABLE IF EXISTS baseline_models;
DROP TABLE IF EXISTS ai_predictions;
DROP TABLE IF EXISTS price_logs;
DROP TABLE IF EXISTS daily_predictions;
