-- synth-lab's schema version 15 for PostgreSQL, with the two homes that older data needs: `prfaq_metadata` and
-- `research_executions.summary_content`.
--
-- Text is COLLATE "C", so that it sorts by bytes as in SQLite. Constraints are named, because the adapter tells
-- conflicts apart by their names. Transcripts and outcomes are keyed naturally: in old files their `id` is often NULL.

CREATE TABLE experiments (
    id             text COLLATE "C" NOT NULL,
    name           text COLLATE "C" NOT NULL,
    hypothesis     text COLLATE "C" NOT NULL,
    description    text COLLATE "C",
    scorecard_data jsonb,
    status         text COLLATE "C" NOT NULL DEFAULT 'active',
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz,
    CONSTRAINT experiments_pkey PRIMARY KEY (id),
    CONSTRAINT experiments_name_check CHECK (char_length(name) <= 100),
    CONSTRAINT experiments_hypothesis_check CHECK (char_length(hypothesis) <= 500),
    CONSTRAINT experiments_description_check CHECK (char_length(description) <= 2000),
    CONSTRAINT experiments_status_check CHECK (status IN ('active', 'deleted'))
);
CREATE INDEX idx_experiments_created ON experiments (created_at DESC);
CREATE INDEX idx_experiments_name ON experiments (name);

CREATE TABLE analysis_runs (
    id                     text COLLATE "C" NOT NULL,
    experiment_id          text COLLATE "C" NOT NULL,
    scenario_id            text COLLATE "C" NOT NULL DEFAULT 'baseline',
    config                 jsonb NOT NULL,
    status                 text COLLATE "C" NOT NULL DEFAULT 'pending',
    started_at             timestamptz NOT NULL,
    completed_at           timestamptz,
    total_synths           bigint DEFAULT 0,
    aggregated_outcomes    jsonb,
    execution_time_seconds double precision,
    CONSTRAINT analysis_runs_pkey PRIMARY KEY (id),
    CONSTRAINT analysis_runs_experiment_id_key UNIQUE (experiment_id),
    CONSTRAINT analysis_runs_status_check CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    CONSTRAINT analysis_runs_experiment_id_fkey FOREIGN KEY (experiment_id)
        REFERENCES experiments (id) ON DELETE CASCADE
);
CREATE INDEX idx_analysis_runs_experiment ON analysis_runs (experiment_id);
CREATE INDEX idx_analysis_runs_status ON analysis_runs (status);

CREATE TABLE synth_outcomes (
    id               text COLLATE "C",
    analysis_id      text COLLATE "C" NOT NULL,
    synth_id         text COLLATE "C" NOT NULL,
    did_not_try_rate double precision NOT NULL,
    failed_rate      double precision NOT NULL,
    success_rate     double precision NOT NULL,
    synth_attributes jsonb,
    CONSTRAINT synth_outcomes_pkey PRIMARY KEY (analysis_id, synth_id),
    CONSTRAINT synth_outcomes_id_key UNIQUE (id),
    CONSTRAINT synth_outcomes_analysis_id_fkey FOREIGN KEY (analysis_id)
        REFERENCES analysis_runs (id) ON DELETE CASCADE
);
CREATE INDEX idx_outcomes_analysis ON synth_outcomes (analysis_id);

CREATE TABLE synth_groups (
    id          text COLLATE "C" NOT NULL,
    name        text COLLATE "C" NOT NULL,
    description text COLLATE "C",
    created_at  timestamptz NOT NULL,
    CONSTRAINT synth_groups_pkey PRIMARY KEY (id)
);
CREATE INDEX idx_synth_groups_created ON synth_groups (created_at DESC);

CREATE TABLE synths (
    id             text COLLATE "C" NOT NULL,
    synth_group_id text COLLATE "C",
    nome           text COLLATE "C" NOT NULL,
    descricao      text COLLATE "C",
    link_photo     text COLLATE "C",
    avatar_path    text COLLATE "C",
    created_at     timestamptz NOT NULL,
    version        text COLLATE "C" DEFAULT '2.0.0',
    data           jsonb,
    CONSTRAINT synths_pkey PRIMARY KEY (id),
    CONSTRAINT synths_synth_group_id_fkey FOREIGN KEY (synth_group_id)
        REFERENCES synth_groups (id) ON DELETE SET NULL
);
CREATE INDEX idx_synths_created_at ON synths (created_at DESC);
CREATE INDEX idx_synths_nome ON synths (nome);
CREATE INDEX idx_synths_group ON synths (synth_group_id);

CREATE TABLE research_executions (
    exec_id            text COLLATE "C" NOT NULL,
    experiment_id      text COLLATE "C",
    topic_name         text COLLATE "C" NOT NULL,
    status             text COLLATE "C" NOT NULL DEFAULT 'pending',
    synth_count        bigint NOT NULL DEFAULT 0,
    successful_count   bigint DEFAULT 0,
    failed_count       bigint DEFAULT 0,
    model              text COLLATE "C" DEFAULT 'gpt-4o-mini',
    max_turns          bigint DEFAULT 6,
    started_at         timestamptz NOT NULL,
    completed_at       timestamptz,
    additional_context text COLLATE "C",
    summary_content    text COLLATE "C",
    CONSTRAINT research_executions_pkey PRIMARY KEY (exec_id),
    CONSTRAINT research_executions_status_check
        CHECK (status IN ('pending', 'running', 'generating_summary', 'completed', 'failed')),
    CONSTRAINT research_executions_experiment_id_fkey FOREIGN KEY (experiment_id)
        REFERENCES experiments (id) ON DELETE SET NULL
);
CREATE INDEX idx_executions_topic ON research_executions (topic_name);
CREATE INDEX idx_executions_status ON research_executions (status);
CREATE INDEX idx_executions_started ON research_executions (started_at DESC);
CREATE INDEX idx_executions_experiment ON research_executions (experiment_id);

CREATE TABLE transcripts (
    id         text COLLATE "C",
    exec_id    text COLLATE "C" NOT NULL,
    synth_id   text COLLATE "C" NOT NULL,
    synth_name text COLLATE "C" NOT NULL,
    status     text COLLATE "C" NOT NULL DEFAULT 'pending',
    turn_count bigint DEFAULT 0,
    timestamp  timestamptz NOT NULL,
    messages   jsonb,
    CONSTRAINT transcripts_pkey PRIMARY KEY (exec_id, synth_id),
    CONSTRAINT transcripts_id_key UNIQUE (id),
    CONSTRAINT transcripts_exec_id_fkey FOREIGN KEY (exec_id)
        REFERENCES research_executions (exec_id) ON DELETE CASCADE
);
CREATE INDEX idx_transcripts_exec ON transcripts (exec_id);
CREATE INDEX idx_transcripts_synth ON transcripts (synth_id);

-- In old files it refers to no execution, and rows outlive theirs.
CREATE TABLE prfaq_metadata (
    exec_id           text COLLATE "C" NOT NULL,
    generated_at      timestamptz,
    model             text COLLATE "C" DEFAULT 'gpt-4o-mini',
    validation_status text COLLATE "C" DEFAULT 'valid',
    confidence_score  double precision,
    headline          text COLLATE "C",
    one_liner         text COLLATE "C",
    faq_count         bigint DEFAULT 0,
    markdown_content  text COLLATE "C",
    json_content      jsonb,
    status            text COLLATE "C" DEFAULT 'completed',
    error_message     text COLLATE "C",
    started_at        timestamptz,
    CONSTRAINT prfaq_metadata_pkey PRIMARY KEY (exec_id),
    CONSTRAINT prfaq_metadata_validation_status_check CHECK (validation_status IN ('valid', 'invalid', 'pending')),
    CONSTRAINT prfaq_metadata_status_check CHECK (status IN ('generating', 'completed', 'failed'))
);
CREATE INDEX idx_prfaq_generated ON prfaq_metadata (generated_at DESC);
CREATE INDEX idx_prfaq_status ON prfaq_metadata (status);

CREATE TABLE interview_guide (
    experiment_id      text COLLATE "C" NOT NULL,
    context_definition text COLLATE "C",
    questions          text COLLATE "C",
    context_examples   text COLLATE "C",
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz,
    CONSTRAINT interview_guide_pkey PRIMARY KEY (experiment_id),
    CONSTRAINT interview_guide_experiment_id_fkey FOREIGN KEY (experiment_id)
        REFERENCES experiments (id) ON DELETE CASCADE
);

CREATE TABLE feature_scorecards (
    id            text COLLATE "C" NOT NULL,
    experiment_id text COLLATE "C",
    data          jsonb NOT NULL,
    created_at    timestamptz NOT NULL,
    updated_at    timestamptz,
    CONSTRAINT feature_scorecards_pkey PRIMARY KEY (id),
    CONSTRAINT feature_scorecards_experiment_id_fkey FOREIGN KEY (experiment_id) REFERENCES experiments (id)
);
CREATE INDEX idx_scorecards_created ON feature_scorecards (created_at DESC);
CREATE INDEX idx_scorecards_experiment ON feature_scorecards (experiment_id);

CREATE TABLE simulation_runs (
    id                     text COLLATE "C" NOT NULL,
    scorecard_id           text COLLATE "C" NOT NULL,
    scenario_id            text COLLATE "C" NOT NULL,
    config                 jsonb NOT NULL,
    status                 text COLLATE "C" NOT NULL,
    started_at             timestamptz NOT NULL,
    completed_at           timestamptz,
    total_synths           bigint DEFAULT 0,
    aggregated_outcomes    jsonb,
    execution_time_seconds double precision,
    CONSTRAINT simulation_runs_pkey PRIMARY KEY (id),
    CONSTRAINT simulation_runs_status_check CHECK (status IN ('pending', 'running', 'completed', 'failed')),
    CONSTRAINT simulation_runs_scorecard_id_fkey FOREIGN KEY (scorecard_id) REFERENCES feature_scorecards (id)
);
CREATE INDEX idx_simulations_scorecard ON simulation_runs (scorecard_id);
CREATE INDEX idx_simulations_status ON simulation_runs (status);

CREATE TABLE region_analyses (
    id               text COLLATE "C" NOT NULL,
    simulation_id    text COLLATE "C" NOT NULL,
    rules            jsonb NOT NULL,
    rule_text        text COLLATE "C" NOT NULL,
    synth_count      bigint NOT NULL,
    synth_percentage double precision NOT NULL,
    did_not_try_rate double precision NOT NULL,
    failed_rate      double precision NOT NULL,
    success_rate     double precision NOT NULL,
    failure_delta    double precision NOT NULL,
    CONSTRAINT region_analyses_pkey PRIMARY KEY (id),
    CONSTRAINT region_analyses_simulation_id_fkey FOREIGN KEY (simulation_id) REFERENCES simulation_runs (id)
);
CREATE INDEX idx_regions_simulation ON region_analyses (simulation_id);

CREATE TABLE sensitivity_results (
    id                       text COLLATE "C" NOT NULL,
    simulation_id            text COLLATE "C" NOT NULL,
    analyzed_at              timestamptz NOT NULL,
    deltas_used              jsonb NOT NULL,
    baseline_success         double precision NOT NULL,
    most_sensitive_dimension text COLLATE "C" NOT NULL,
    dimensions               jsonb NOT NULL,
    created_at               timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT sensitivity_results_pkey PRIMARY KEY (id),
    CONSTRAINT sensitivity_results_simulation_id_fkey FOREIGN KEY (simulation_id) REFERENCES simulation_runs (id)
);
CREATE INDEX idx_sensitivity_simulation ON sensitivity_results (simulation_id);
CREATE INDEX idx_sensitivity_analyzed_at ON sensitivity_results (analyzed_at);

-- `simulation_id` holds ids of two tables here, so it refers to neither.
CREATE TABLE chart_insights (
    id            text COLLATE "C" NOT NULL,
    simulation_id text COLLATE "C" NOT NULL,
    insight_type  text COLLATE "C" NOT NULL,
    response_json jsonb NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT chart_insights_pkey PRIMARY KEY (id),
    CONSTRAINT chart_insights_simulation_id_insight_type_key UNIQUE (simulation_id, insight_type)
);
CREATE INDEX idx_chart_insights_simulation ON chart_insights (simulation_id);
CREATE INDEX idx_chart_insights_type ON chart_insights (insight_type);

CREATE TABLE analysis_cache (
    analysis_id text COLLATE "C" NOT NULL,
    cache_key   text COLLATE "C" NOT NULL,
    data        jsonb NOT NULL,
    params      jsonb,
    computed_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT analysis_cache_pkey PRIMARY KEY (analysis_id, cache_key),
    CONSTRAINT analysis_cache_analysis_id_fkey FOREIGN KEY (analysis_id)
        REFERENCES analysis_runs (id) ON DELETE CASCADE
);
CREATE INDEX idx_analysis_cache_analysis ON analysis_cache (analysis_id);

CREATE TABLE explorations (
    id                   text COLLATE "C" NOT NULL,
    experiment_id        text COLLATE "C" NOT NULL,
    baseline_analysis_id text COLLATE "C" NOT NULL,
    goal                 jsonb NOT NULL,
    config               jsonb NOT NULL,
    status               text COLLATE "C" NOT NULL DEFAULT 'running',
    current_depth        bigint NOT NULL DEFAULT 0,
    total_nodes          bigint NOT NULL DEFAULT 0,
    total_llm_calls      bigint NOT NULL DEFAULT 0,
    best_success_rate    double precision,
    started_at           timestamptz NOT NULL,
    completed_at         timestamptz,
    CONSTRAINT explorations_pkey PRIMARY KEY (id),
    CONSTRAINT explorations_id_check CHECK (id ~ '^expl_[a-f0-9]{8}$'),
    CONSTRAINT explorations_status_check CHECK (status IN
        ('running', 'goal_achieved', 'depth_limit_reached', 'cost_limit_reached', 'no_viable_paths')),
    CONSTRAINT explorations_current_depth_check CHECK (current_depth >= 0),
    CONSTRAINT explorations_total_nodes_check CHECK (total_nodes >= 0),
    CONSTRAINT explorations_total_llm_calls_check CHECK (total_llm_calls >= 0),
    CONSTRAINT explorations_best_success_rate_check CHECK (best_success_rate >= 0 AND best_success_rate <= 1),
    CONSTRAINT explorations_experiment_id_fkey FOREIGN KEY (experiment_id) REFERENCES experiments (id),
    CONSTRAINT explorations_baseline_analysis_id_fkey FOREIGN KEY (baseline_analysis_id) REFERENCES analysis_runs (id)
);
CREATE INDEX idx_explorations_experiment ON explorations (experiment_id);
CREATE INDEX idx_explorations_status ON explorations (status);

CREATE TABLE scenario_nodes (
    id                     text COLLATE "C" NOT NULL,
    exploration_id         text COLLATE "C" NOT NULL,
    parent_id              text COLLATE "C",
    depth                  bigint NOT NULL,
    action_applied         text COLLATE "C",
    action_category        text COLLATE "C",
    rationale              text COLLATE "C",
    short_action           text COLLATE "C",
    scorecard_params       jsonb NOT NULL,
    simulation_results     jsonb,
    execution_time_seconds double precision,
    node_status            text COLLATE "C" NOT NULL DEFAULT 'active',
    created_at             timestamptz NOT NULL,
    CONSTRAINT scenario_nodes_pkey PRIMARY KEY (id),
    CONSTRAINT scenario_nodes_id_check CHECK (id ~ '^node_[a-f0-9]{8}$'),
    CONSTRAINT scenario_nodes_depth_check CHECK (depth >= 0),
    CONSTRAINT scenario_nodes_execution_time_seconds_check CHECK (execution_time_seconds >= 0),
    CONSTRAINT scenario_nodes_node_status_check
        CHECK (node_status IN ('active', 'dominated', 'winner', 'expansion_failed')),
    CONSTRAINT scenario_nodes_exploration_id_fkey FOREIGN KEY (exploration_id)
        REFERENCES explorations (id) ON DELETE CASCADE,
    CONSTRAINT scenario_nodes_parent_id_fkey FOREIGN KEY (parent_id) REFERENCES scenario_nodes (id)
);
CREATE INDEX idx_scenario_nodes_exploration ON scenario_nodes (exploration_id);
CREATE INDEX idx_scenario_nodes_parent ON scenario_nodes (parent_id);
CREATE INDEX idx_scenario_nodes_status ON scenario_nodes (exploration_id, node_status);
CREATE INDEX idx_scenario_nodes_depth ON scenario_nodes (exploration_id, depth);

CREATE TABLE experiment_documents (
    id               text COLLATE "C" NOT NULL,
    experiment_id    text COLLATE "C" NOT NULL,
    document_type    text COLLATE "C" NOT NULL,
    markdown_content text COLLATE "C" NOT NULL,
    metadata         jsonb,
    generated_at     timestamptz NOT NULL,
    model            text COLLATE "C" DEFAULT 'gpt-4o-mini',
    status           text COLLATE "C" NOT NULL DEFAULT 'completed',
    error_message    text COLLATE "C",
    CONSTRAINT experiment_documents_pkey PRIMARY KEY (id),
    CONSTRAINT experiment_documents_experiment_id_document_type_key UNIQUE (experiment_id, document_type),
    CONSTRAINT experiment_documents_document_type_check
        CHECK (document_type IN ('summary', 'prfaq', 'executive_summary')),
    CONSTRAINT experiment_documents_status_check
        CHECK (status IN ('pending', 'generating', 'completed', 'failed', 'partial')),
    CONSTRAINT experiment_documents_experiment_id_fkey FOREIGN KEY (experiment_id)
        REFERENCES experiments (id) ON DELETE CASCADE
);
CREATE INDEX idx_experiment_documents_experiment ON experiment_documents (experiment_id);
CREATE INDEX idx_experiment_documents_type ON experiment_documents (document_type);
CREATE INDEX idx_experiment_documents_status ON experiment_documents (status);

-- The group that synths without one belong to. Its time is fixed, so that two fresh databases hold the same row.
INSERT INTO synth_groups (id, name, description, created_at)
VALUES ('grp_00000001', 'Default', 'Grupo padrão para synths sem grupo específico', '2026-01-01 00:00:00+00');
