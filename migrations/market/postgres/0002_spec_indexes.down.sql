-- IF EXISTS, because this also undoes a run that was killed half-way.

DROP INDEX IF EXISTS idx_model_performance_mae;
DROP INDEX IF EXISTS idx_model_performance_date_model;
DROP INDEX IF EXISTS idx_ai_predictions_model;
DROP INDEX IF EXISTS idx_ai_predictions_confidence;
DROP INDEX IF EXISTS idx_ai_predictions_date_checkpoint_source;
DROP INDEX IF EXISTS idx_price_logs_created_at;
DROP INDEX IF EXISTS idx_price_logs_date_checkpoint;
DROP INDEX IF EXISTS idx_daily_predictions_created_at;
DROP INDEX IF EXISTS idx_daily_predictions_date_source;
