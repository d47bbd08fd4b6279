-- synth-lab's schema version 15: what its own files hold, table by table and column by column.
-- Ids are `TEXT PRIMARY KEY` without NOT NULL, as in those files; a fresh file must not be stricter than an old one.

CREATE TABLE experiments (
    id             TEXT PRIMARY KEY,
    name           TEXT NOT NULL CHECK (length(name) <= 100),
    hypothesis     TEXT NOT NULL CHECK (length(hypothesis) <= 500),
    description    TEXT CHECK (length(description) <= 2000),
    scorecard_data TEXT CHECK (scorecard_data IS NULL OR json_valid(scorecard_data)),
    status         TEXT NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'deleted')),
    created_at     TEXT NOT NULL,
    updated_at     TEXT
);
CREATE INDEX idx_experiments_created ON experiments (created_at DESC);
CREATE INDEX idx_experiments_name ON experiments (name);

CREATE TABLE analysis_runs (
    id                     TEXT PRIMARY KEY,
    experiment_id          TEXT NOT NULL UNIQUE REFERENCES experiments (id) ON DELETE CASCADE,
    scenario_id            TEXT NOT NULL DEFAULT 'baseline',
    config                 TEXT NOT NULL CHECK (json_valid(config)),
    status                 TEXT NOT NULL DEFAULT 'pending'
                           CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    started_at             TEXT NOT NULL,
    completed_at           TEXT,
    total_synths           INTEGER DEFAULT 0,
    aggregated_outcomes    TEXT CHECK (aggregated_outcomes IS NULL OR json_valid(aggregated_outcomes)),
    execution_time_seconds REAL
);
CREATE INDEX idx_analysis_runs_experiment ON analysis_runs (experiment_id);
CREATE INDEX idx_analysis_runs_status ON analysis_runs (status);

CREATE TABLE synth_outcomes (
    id               TEXT PRIMARY KEY,
    analysis_id      TEXT NOT NULL REFERENCES analysis_runs (id) ON DELETE CASCADE,
    synth_id         TEXT NOT NULL,
    did_not_try_rate REAL NOT NULL,
    failed_rate      REAL NOT NULL,
    success_rate     REAL NOT NULL,
    synth_attributes TEXT CHECK (json_valid(synth_attributes)),
    UNIQUE (analysis_id, synth_id)
);
CREATE INDEX idx_outcomes_analysis ON synth_outcomes (analysis_id);

CREATE TABLE synth_groups (
    id          TEXT PRIMARY KEY,
    name        TEXT NOT NULL,
    description TEXT,
    created_at  TEXT NOT NULL
);
CREATE INDEX idx_synth_groups_created ON synth_groups (created_at DESC);

CREATE TABLE synths (
    id             TEXT PRIMARY KEY,
    synth_group_id TEXT REFERENCES synth_groups (id),
    nome           TEXT NOT NULL,
    descricao      TEXT,
    link_photo     TEXT,
    avatar_path    TEXT,
    created_at     TEXT NOT NULL,
    version        TEXT DEFAULT '2.0.0',
    data           TEXT CHECK (data IS NULL OR json_valid(data))
);
CREATE INDEX idx_synths_created_at ON synths (created_at DESC);
CREATE INDEX idx_synths_nome ON synths (nome);
CREATE INDEX idx_synths_group ON synths (synth_group_id);

CREATE TABLE research_executions (
    exec_id            TEXT PRIMARY KEY,
    experiment_id      TEXT REFERENCES experiments (id) ON DELETE SET NULL,
    topic_name         TEXT NOT NULL,
    status             TEXT NOT NULL DEFAULT 'pending'
                       CHECK (status IN ('pending', 'running', 'generating_summary', 'completed', 'failed')),
    synth_count        INTEGER NOT NULL DEFAULT 0,
    successful_count   INTEGER DEFAULT 0,
    failed_count       INTEGER DEFAULT 0,
    model              TEXT DEFAULT 'gpt-4o-mini',
    max_turns          INTEGER DEFAULT 6,
    started_at         TEXT NOT NULL,
    completed_at       TEXT,
    additional_context TEXT
);
CREATE INDEX idx_executions_topic ON research_executions (topic_name);
CREATE INDEX idx_executions_status ON research_executions (status);
CREATE INDEX idx_executions_started ON research_executions (started_at DESC);
CREATE INDEX idx_executions_experiment ON research_executions (experiment_id);

CREATE TABLE transcripts (
    id         TEXT PRIMARY KEY,
    exec_id    TEXT NOT NULL REFERENCES research_executions (exec_id) ON DELETE CASCADE,
    synth_id   TEXT NOT NULL,
    synth_name TEXT NOT NULL,
    status     TEXT NOT NULL DEFAULT 'pending',
    turn_count INTEGER DEFAULT 0,
    timestamp  TEXT NOT NULL,
    messages   TEXT CHECK (json_valid(messages)),
    UNIQUE (exec_id, synth_id)
);
CREATE INDEX idx_transcripts_exec ON transcripts (exec_id);
CREATE INDEX idx_transcripts_synth ON transcripts (synth_id);

CREATE TABLE interview_guide (
    experiment_id      TEXT PRIMARY KEY REFERENCES experiments (id) ON DELETE CASCADE,
    context_definition TEXT,
    questions          TEXT,
    context_examples   TEXT,
    created_at         TEXT NOT NULL,
    updated_at         TEXT
);

CREATE TABLE feature_scorecards (
    id            TEXT PRIMARY KEY,
    experiment_id TEXT REFERENCES experiments (id),
    data          TEXT NOT NULL CHECK (json_valid(data)),
    created_at    TEXT NOT NULL,
    updated_at    TEXT
);
CREATE INDEX idx_scorecards_created ON feature_scorecards (created_at DESC);
CREATE INDEX idx_scorecards_experiment ON feature_scorecards (experiment_id);

CREATE TABLE simulation_runs (
    id                     TEXT PRIMARY KEY,
    scorecard_id           TEXT NOT NULL REFERENCES feature_scorecards (id),
    scenario_id            TEXT NOT NULL,
    config                 TEXT NOT NULL CHECK (json_valid(config)),
    status                 TEXT NOT NULL CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    started_at             TEXT NOT NULL,
    completed_at           TEXT,
    total_synths           INTEGER DEFAULT 0,
    aggregated_outcomes    TEXT CHECK (aggregated_outcomes IS NULL OR json_valid(aggregated_outcomes)),
    execution_time_seconds REAL
);
CREATE INDEX idx_simulations_scorecard ON simulation_runs (scorecard_id);
CREATE INDEX idx_simulations_status ON simulation_runs (status);

CREATE TABLE region_analyses (
    id               TEXT PRIMARY KEY,
    simulation_id    TEXT NOT NULL REFERENCES simulation_runs (id),
    rules            TEXT NOT NULL CHECK (json_valid(rules)),
    rule_text        TEXT NOT NULL,
    synth_count      INTEGER NOT NULL,
    synth_percentage REAL NOT NULL,
    did_not_try_rate REAL NOT NULL,
    failed_rate      REAL NOT NULL,
    success_rate     REAL NOT NULL,
    failure_delta    REAL NOT NULL
);
CREATE INDEX idx_regions_simulation ON region_analyses (simulation_id);

CREATE TABLE sensitivity_results (
    id                       TEXT PRIMARY KEY,
    simulation_id            TEXT NOT NULL REFERENCES simulation_runs (id),
    analyzed_at              TEXT NOT NULL,
    deltas_used              TEXT NOT NULL CHECK (json_valid(deltas_used)),
    baseline_success         REAL NOT NULL,
    most_sensitive_dimension TEXT NOT NULL,
    dimensions               TEXT NOT NULL CHECK (json_valid(dimensions)),
    created_at               TEXT NOT NULL DEFAULT (datetime('now'))
);
CREATE INDEX idx_sensitivity_simulation ON sensitivity_results (simulation_id);
CREATE INDEX idx_sensitivity_analyzed_at ON sensitivity_results (analyzed_at);

-- `simulation_id` holds ids of two tables here, so it refers to neither.
CREATE TABLE chart_insights (
    id            TEXT PRIMARY KEY,
    simulation_id TEXT NOT NULL,
    insight_type  TEXT NOT NULL,
    response_json TEXT NOT NULL CHECK (json_valid(response_json)),
    created_at    TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at    TEXT NOT NULL DEFAULT (datetime('now')),
    UNIQUE (simulation_id, insight_type)
);
CREATE INDEX idx_chart_insights_simulation ON chart_insights (simulation_id);
CREATE INDEX idx_chart_insights_type ON chart_insights (insight_type);

CREATE TABLE analysis_cache (
    analysis_id TEXT NOT NULL REFERENCES analysis_runs (id) ON DELETE CASCADE,
    cache_key   TEXT NOT NULL,
    data        TEXT NOT NULL CHECK (json_valid(data)),
    params      TEXT CHECK (params IS NULL OR json_valid(params)),
    computed_at TEXT NOT NULL DEFAULT (datetime('now')),
    PRIMARY KEY (analysis_id, cache_key)
);
CREATE INDEX idx_analysis_cache_analysis ON analysis_cache (analysis_id);

CREATE TABLE explorations (
    id                   TEXT PRIMARY KEY
                         CHECK (id GLOB 'expl_[a-f0-9][a-f0-9][a-f0-9][a-f0-9][a-f0-9][a-f0-9][a-f0-9][a-f0-9]'),
    experiment_id        TEXT NOT NULL REFERENCES experiments (id),
    baseline_analysis_id TEXT NOT NULL REFERENCES analysis_runs (id),
    goal                 TEXT NOT NULL CHECK (json_valid(goal)),
    config               TEXT NOT NULL CHECK (json_valid(config)),
    status               TEXT NOT NULL DEFAULT 'running' CHECK (status IN
                         ('running', 'goal_achieved', 'depth_limit_reached', 'cost_limit_reached', 'no_viable_paths')),
    current_depth        INTEGER NOT NULL DEFAULT 0 CHECK (current_depth >= 0),
    total_nodes          INTEGER NOT NULL DEFAULT 0 CHECK (total_nodes >= 0),
    total_llm_calls      INTEGER NOT NULL DEFAULT 0 CHECK (total_llm_calls >= 0),
    best_success_rate    REAL CHECK (best_success_rate IS NULL
                                     OR (best_success_rate >= 0 AND best_success_rate <= 1)),
    started_at           TEXT NOT NULL,
    completed_at         TEXT
);
CREATE INDEX idx_explorations_experiment ON explorations (experiment_id);
CREATE INDEX idx_explorations_status ON explorations (status);

CREATE TABLE scenario_nodes (
    id                     TEXT PRIMARY KEY
                           CHECK (id GLOB 'node_[a-f0-9][a-f0-9][a-f0-9][a-f0-9][a-f0-9][a-f0-9][a-f0-9][a-f0-9]'),
    exploration_id         TEXT NOT NULL REFERENCES explorations (id) ON DELETE CASCADE,
    parent_id              TEXT REFERENCES scenario_nodes (id),
    depth                  INTEGER NOT NULL CHECK (depth >= 0),
    action_applied         TEXT,
    action_category        TEXT,
    rationale              TEXT,
    short_action           TEXT,
    scorecard_params       TEXT NOT NULL CHECK (json_valid(scorecard_params)),
    simulation_results     TEXT CHECK (simulation_results IS NULL OR json_valid(simulation_results)),
    execution_time_seconds REAL CHECK (execution_time_seconds IS NULL OR execution_time_seconds >= 0),
    node_status            TEXT NOT NULL DEFAULT 'active'
                           CHECK (node_status IN ('active', 'dominated', 'winner', 'expansion_failed')),
    created_at             TEXT NOT NULL
);
CREATE INDEX idx_scenario_nodes_exploration ON scenario_nodes (exploration_id);
CREATE INDEX idx_scenario_nodes_parent ON scenario_nodes (parent_id);
CREATE INDEX idx_scenario_nodes_status ON scenario_nodes (exploration_id, node_status);
CREATE INDEX idx_scenario_nodes_depth ON scenario_nodes (exploration_id, depth);

CREATE TABLE experiment_documents (
    id               TEXT PRIMARY KEY,
    experiment_id    TEXT NOT NULL REFERENCES experiments (id) ON DELETE CASCADE,
    document_type    TEXT NOT NULL CHECK (document_type IN ('summary', 'prfaq', 'executive_summary')),
    markdown_content TEXT NOT NULL,
    metadata         TEXT CHECK (metadata IS NULL OR json_valid(metadata)),
    generated_at     TEXT NOT NULL,
    model            TEXT DEFAULT 'gpt-4o-mini',
    status           TEXT NOT NULL DEFAULT 'completed'
                     CHECK (status IN ('pending', 'generating', 'completed', 'failed', 'partial')),
    error_message    TEXT,
    UNIQUE (experiment_id, document_type)
);
CREATE INDEX idx_experiment_documents_experiment ON experiment_documents (experiment_id);
CREATE INDEX idx_experiment_documents_type ON experiment_documents (document_type);
CREATE INDEX idx_experiment_documents_status ON experiment_documents (status);

-- The group that synths without one belong to. Its time is fixed, so that two fresh databases hold the same row.
INSERT INTO synth_groups (id, name, description, created_at)
VALUES ('grp_00000001', 'Default', 'Grupo padrão para synths sem grupo específico', '2026-01-01T00:00:00.000000+00:00');
