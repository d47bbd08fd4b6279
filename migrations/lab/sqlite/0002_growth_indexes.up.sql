-- What lists order by, with the key that breaks ties, and what foreign keys and lookups search by: without these a
-- page costs as much as its table. All of them begin where an index of the original's does not, or go on further.
-- Times of several spellings stand in one column, so what lists order by is not their text but the instant: its whole
-- seconds and then the digits of its fraction. The original program keeps them up to date with another version of SQLite,
-- so only what all versions compute alike is used: datetime() differs for days that do not exist, a fraction read as REAL
-- in its last bit. The CASE keeps 'now' and its kind away: SQLite refuses to index what changes by itself.
CREATE INDEX experiments_status_created_at_idx
    ON experiments (status,
        CASE WHEN created_at GLOB '????-*' AND substr(created_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(created_at, 20, 1) = '.' THEN substr(created_at, 1, 19) || CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN substr(created_at, -6) ELSE '' END ELSE created_at END) AS INTEGER) END DESC,
        CASE WHEN substr(created_at, 20, 1) = '.' THEN rtrim(substr(created_at, 20, length(created_at) - CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX synth_outcomes_synth_id_idx ON synth_outcomes (synth_id, analysis_id);
CREATE INDEX synth_groups_created_at_idx
    ON synth_groups (
        CASE WHEN created_at GLOB '????-*' AND substr(created_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(created_at, 20, 1) = '.' THEN substr(created_at, 1, 19) || CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN substr(created_at, -6) ELSE '' END ELSE created_at END) AS INTEGER) END DESC,
        CASE WHEN substr(created_at, 20, 1) = '.' THEN rtrim(substr(created_at, 20, length(created_at) - CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX synths_created_at_idx ON synths (
        CASE WHEN created_at GLOB '????-*' AND substr(created_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(created_at, 20, 1) = '.' THEN substr(created_at, 1, 19) || CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN substr(created_at, -6) ELSE '' END ELSE created_at END) AS INTEGER) END DESC,
        CASE WHEN substr(created_at, 20, 1) = '.' THEN rtrim(substr(created_at, 20, length(created_at) - CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX synths_group_created_at_idx
    ON synths (synth_group_id,
        CASE WHEN created_at GLOB '????-*' AND substr(created_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(created_at, 20, 1) = '.' THEN substr(created_at, 1, 19) || CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN substr(created_at, -6) ELSE '' END ELSE created_at END) AS INTEGER) END DESC,
        CASE WHEN substr(created_at, 20, 1) = '.' THEN rtrim(substr(created_at, 20, length(created_at) - CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX research_executions_started_at_idx
    ON research_executions (
        CASE WHEN started_at GLOB '????-*' AND substr(started_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(started_at, 20, 1) = '.' THEN substr(started_at, 1, 19) || CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN substr(started_at, -6) ELSE '' END ELSE started_at END) AS INTEGER) END DESC,
        CASE WHEN substr(started_at, 20, 1) = '.' THEN rtrim(substr(started_at, 20, length(started_at) - CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, exec_id);
CREATE INDEX research_executions_experiment_started_at_idx
    ON research_executions (experiment_id,
        CASE WHEN started_at GLOB '????-*' AND substr(started_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(started_at, 20, 1) = '.' THEN substr(started_at, 1, 19) || CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN substr(started_at, -6) ELSE '' END ELSE started_at END) AS INTEGER) END DESC,
        CASE WHEN substr(started_at, 20, 1) = '.' THEN rtrim(substr(started_at, 20, length(started_at) - CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, exec_id);
CREATE INDEX transcripts_execution_timestamp_idx
    ON transcripts (exec_id,
        CASE WHEN timestamp GLOB '????-*' AND substr(timestamp, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(timestamp, 20, 1) = '.' THEN substr(timestamp, 1, 19) || CASE WHEN substr(timestamp, -6, 1) IN ('+', '-') THEN substr(timestamp, -6) ELSE '' END ELSE timestamp END) AS INTEGER) END,
        CASE WHEN substr(timestamp, 20, 1) = '.' THEN rtrim(substr(timestamp, 20, length(timestamp) - CASE WHEN substr(timestamp, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END, synth_id);
CREATE INDEX feature_scorecards_created_at_idx
    ON feature_scorecards (
        CASE WHEN created_at GLOB '????-*' AND substr(created_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(created_at, 20, 1) = '.' THEN substr(created_at, 1, 19) || CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN substr(created_at, -6) ELSE '' END ELSE created_at END) AS INTEGER) END DESC,
        CASE WHEN substr(created_at, 20, 1) = '.' THEN rtrim(substr(created_at, 20, length(created_at) - CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX feature_scorecards_experiment_created_at_idx
    ON feature_scorecards (experiment_id,
        CASE WHEN created_at GLOB '????-*' AND substr(created_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(created_at, 20, 1) = '.' THEN substr(created_at, 1, 19) || CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN substr(created_at, -6) ELSE '' END ELSE created_at END) AS INTEGER) END DESC,
        CASE WHEN substr(created_at, 20, 1) = '.' THEN rtrim(substr(created_at, 20, length(created_at) - CASE WHEN substr(created_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX simulation_runs_started_at_idx
    ON simulation_runs (
        CASE WHEN started_at GLOB '????-*' AND substr(started_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(started_at, 20, 1) = '.' THEN substr(started_at, 1, 19) || CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN substr(started_at, -6) ELSE '' END ELSE started_at END) AS INTEGER) END DESC,
        CASE WHEN substr(started_at, 20, 1) = '.' THEN rtrim(substr(started_at, 20, length(started_at) - CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX simulation_runs_scorecard_started_at_idx
    ON simulation_runs (scorecard_id,
        CASE WHEN started_at GLOB '????-*' AND substr(started_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(started_at, 20, 1) = '.' THEN substr(started_at, 1, 19) || CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN substr(started_at, -6) ELSE '' END ELSE started_at END) AS INTEGER) END DESC,
        CASE WHEN substr(started_at, 20, 1) = '.' THEN rtrim(substr(started_at, 20, length(started_at) - CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX simulation_runs_status_started_at_idx
    ON simulation_runs (status,
        CASE WHEN started_at GLOB '????-*' AND substr(started_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(started_at, 20, 1) = '.' THEN substr(started_at, 1, 19) || CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN substr(started_at, -6) ELSE '' END ELSE started_at END) AS INTEGER) END DESC,
        CASE WHEN substr(started_at, 20, 1) = '.' THEN rtrim(substr(started_at, 20, length(started_at) - CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX sensitivity_results_simulation_analyzed_at_idx
    ON sensitivity_results (simulation_id,
        CASE WHEN analyzed_at GLOB '????-*' AND substr(analyzed_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(analyzed_at, 20, 1) = '.' THEN substr(analyzed_at, 1, 19) || CASE WHEN substr(analyzed_at, -6, 1) IN ('+', '-') THEN substr(analyzed_at, -6) ELSE '' END ELSE analyzed_at END) AS INTEGER) END DESC,
        CASE WHEN substr(analyzed_at, 20, 1) = '.' THEN rtrim(substr(analyzed_at, 20, length(analyzed_at) - CASE WHEN substr(analyzed_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX explorations_experiment_started_at_idx
    ON explorations (experiment_id,
        CASE WHEN started_at GLOB '????-*' AND substr(started_at, 12, 2) < '24' THEN CAST(strftime('%s', CASE WHEN substr(started_at, 20, 1) = '.' THEN substr(started_at, 1, 19) || CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN substr(started_at, -6) ELSE '' END ELSE started_at END) AS INTEGER) END DESC,
        CASE WHEN substr(started_at, 20, 1) = '.' THEN rtrim(substr(started_at, 20, length(started_at) - CASE WHEN substr(started_at, -6, 1) IN ('+', '-') THEN 25 ELSE 19 END), 'Zz0.') ELSE '' END DESC, id);
CREATE INDEX explorations_baseline_analysis_id_idx ON explorations (baseline_analysis_id);
