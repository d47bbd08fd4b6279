-- The indexes that SPY-tracker's migration asks for.

CREATE INDEX idx_daily_predictions_date_source ON daily_predictions (date, source);
CREATE INDEX idx_daily_predictions_created_at ON daily_predictions (created_at);
CREATE INDEX idx_price_logs_date_checkpoint ON price_logs (date, checkpoint);
CREATE INDEX idx_price_logs_created_at ON price_logs (created_at);
CREATE INDEX idx_ai_predictions_date_checkpoint_source ON ai_predictions (date, checkpoint, source);
CREATE INDEX idx_ai_predictions_confidence ON ai_predictions (confidence DESC);
CREATE INDEX idx_ai_predictions_model ON ai_predictions (model);
CREATE INDEX idx_model_performance_date_model ON model_performance (date, model_name);
CREATE INDEX idx_model_performance_mae ON model_performance (mae);
