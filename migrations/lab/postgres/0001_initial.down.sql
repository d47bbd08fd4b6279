-- Children before parents. IF EXISTS, because this also undoes a run that was killed half-way.

DROP TABLE IF EXISTS experiment_documents;
DROP TABLE IF EXISTS scenario_nodes;
DROP TABLE IF EXISTS explorations;
DROP TABLE IF EXISTS analysis_cache;
DROP TABLE IF EXISTS chart_insights;
DROP TABLE IF EXISTS sensitivity_results;
DROP TABLE IF EXISTS region_analyses;
DROP TABLE IF EXISTS simulation_runs;
DROP TABLE IF EXISTS feature_scorecards;
DROP TABLE IF EXISTS interview_guide;
DROP TABLE IF EXISTS prfaq_metadata;
DROP TABLE IF EXISTS transcripts;
DROP TABLE IF EXISTS research_executions;
DROP TABLE IF EXISTS synths;
DROP TABLE IF EXISTS synth_groups;
DROP TABLE IF EXISTS synth_outcomes;
DROP TABLE IF EXISTS analysis_runs;
DROP TABLE IF EXISTS experiments;
