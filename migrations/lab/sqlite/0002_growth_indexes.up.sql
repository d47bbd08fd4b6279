-- What lists order by, with the key that breaks ties, and what foreign keys and lookups search by: without these a
-- page costs as much as its table. All of them begin where an index of the original's does not, or go on further.
-- Times of several spellings stand in one column, so what lists order by is not their text but the instant to the
-- second and then the rest of the text: built-in functions only, which the original program can keep up to date.
-- The CASE keeps 'now' and its kind away from datetime(): SQLite refuses to index what changes by itself.
CREATE INDEX experiments_status_created_at_idx
    ON experiments (status, CASE WHEN created_at GLOB '[0-9]*' THEN datetime(created_at) END DESC, CAST('0' || substr(created_at, 20) AS REAL) DESC, id);
CREATE INDEX synth_outcomes_synth_id_idx ON synth_outcomes (synth_id, analysis_id);
CREATE INDEX synth_groups_created_at_idx
    ON synth_groups (CASE WHEN created_at GLOB '[0-9]*' THEN datetime(created_at) END DESC, CAST('0' || substr(created_at, 20) AS REAL) DESC, id);
CREATE INDEX synths_created_at_idx ON synths (CASE WHEN created_at GLOB '[0-9]*' THEN datetime(created_at) END DESC, CAST('0' || substr(created_at, 20) AS REAL) DESC, id);
CREATE INDEX synths_group_created_at_idx
    ON synths (synth_group_id, CASE WHEN created_at GLOB '[0-9]*' THEN datetime(created_at) END DESC, CAST('0' || substr(created_at, 20) AS REAL) DESC, id);
CREATE INDEX research_executions_started_at_idx
    ON research_executions (CASE WHEN started_at GLOB '[0-9]*' THEN datetime(started_at) END DESC, CAST('0' || substr(started_at, 20) AS REAL) DESC, exec_id);
CREATE INDEX research_executions_experiment_started_at_idx
    ON research_executions (experiment_id, CASE WHEN started_at GLOB '[0-9]*' THEN datetime(started_at) END DESC, CAST('0' || substr(started_at, 20) AS REAL) DESC, exec_id);
CREATE INDEX transcripts_execution_timestamp_idx
    ON transcripts (exec_id, CASE WHEN timestamp GLOB '[0-9]*' THEN datetime(timestamp) END, CAST('0' || substr(timestamp, 20) AS REAL), synth_id);
CREATE INDEX feature_scorecards_created_at_idx
    ON feature_scorecards (CASE WHEN created_at GLOB '[0-9]*' THEN datetime(created_at) END DESC, CAST('0' || substr(created_at, 20) AS REAL) DESC, id);
CREATE INDEX feature_scorecards_experiment_created_at_idx
    ON feature_scorecards (experiment_id, CASE WHEN created_at GLOB '[0-9]*' THEN datetime(created_at) END DESC, CAST('0' || substr(created_at, 20) AS REAL) DESC, id);
CREATE INDEX simulation_runs_started_at_idx
    ON simulation_runs (CASE WHEN started_at GLOB '[0-9]*' THEN datetime(started_at) END DESC, CAST('0' || substr(started_at, 20) AS REAL) DESC, id);
CREATE INDEX simulation_runs_scorecard_started_at_idx
    ON simulation_runs (scorecard_id, CASE WHEN started_at GLOB '[0-9]*' THEN datetime(started_at) END DESC, CAST('0' || substr(started_at, 20) AS REAL) DESC, id);
CREATE INDEX simulation_runs_status_started_at_idx
    ON simulation_runs (status, CASE WHEN started_at GLOB '[0-9]*' THEN datetime(started_at) END DESC, CAST('0' || substr(started_at, 20) AS REAL) DESC, id);
CREATE INDEX sensitivity_results_simulation_analyzed_at_idx
    ON sensitivity_results (simulation_id, CASE WHEN analyzed_at GLOB '[0-9]*' THEN datetime(analyzed_at) END DESC, CAST('0' || substr(analyzed_at, 20) AS REAL) DESC, id);
CREATE INDEX explorations_experiment_started_at_idx
    ON explorations (experiment_id, CASE WHEN started_at GLOB '[0-9]*' THEN datetime(started_at) END DESC, CAST('0' || substr(started_at, 20) AS REAL) DESC, id);
CREATE INDEX explorations_baseline_analysis_id_idx ON explorations (baseline_analysis_id);
