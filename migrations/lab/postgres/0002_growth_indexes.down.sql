-- IF EXISTS, because this also undoes a run that was killed half-way.

DROP INDEX IF EXISTS explorations_baseline_analysis_id_idx;
DROP INDEX IF EXISTS explorations_experiment_started_at_idx;
DROP INDEX IF EXISTS sensitivity_results_simulation_analyzed_at_idx;
DROP INDEX IF EXISTS simulation_runs_status_started_at_idx;
DROP INDEX IF EXISTS simulation_runs_scorecard_started_at_idx;
DROP INDEX IF EXISTS simulation_runs_started_at_idx;
DROP INDEX IF EXISTS feature_scorecards_experiment_created_at_idx;
DROP INDEX IF EXISTS feature_scorecards_created_at_idx;
DROP INDEX IF EXISTS transcripts_execution_timestamp_idx;
DROP INDEX IF EXISTS research_executions_experiment_started_at_idx;
DROP INDEX IF EXISTS research_executions_started_at_idx;
DROP INDEX IF EXISTS synths_group_created_at_idx;
DROP INDEX IF EXISTS synths_created_at_idx;
DROP INDEX IF EXISTS synth_groups_created_at_idx;
DROP INDEX IF EXISTS synth_outcomes_synth_id_idx;
DROP INDEX IF EXISTS experiments_status_created_at_idx;
