//! Contract cases of the explorations and their scenarios.

use cutover_domain::json::Json;
use cutover_domain::lab::exploration::{
    Exploration, ExplorationStatus, ExplorationStep, NodeChange, NodeCounts, NodeStatus, ScenarioNode,
};
use cutover_ports::StoreError;
use cutover_tests::store::TestStore;
use futures_util::future::join_all;

use super::analysis_run::stored_run;
use super::{assert_conflict, assert_missing, at};

contract!(
    start_stores_both,
    start_stores_both_or_neither,
    a_search_needs_its_parents,
    ids_and_numbers_are_checked,
    the_list_of_an_experiment_is_newest_first,
    update_overwrites_all_but_keys_and_start,
    advance_changes_all_or_nothing,
    advance_takes_scenarios_in_any_order,
    steps_at_once_are_all_kept,
    a_scenario_needs_its_parents,
    update_node_sets_what_it_holds,
    scenarios_from_the_root_on,
    the_frontier_is_deepest_first,
    roots_and_winners,
    paths_and_children,
    standings_are_counted,
    the_best_scenario,
    a_run_that_a_search_starts_from_stays,
);

const EXPLORATION: &str = "expl_00000001";

fn json(text: &str) -> Json {
    Json::parse(text).unwrap()
}

pub(crate) fn exploration(id: &str, number: u32, seconds: i64) -> Exploration {
    Exploration {
        id: id.to_owned(),
        experiment_id: format!("exp_{number:08x}"),
        baseline_analysis_id: format!("ana_{number:08x}"),
        goal: json(r#"{"metric": "success_rate", "operator": ">=", "value": 0.40}"#),
        config: json(r#"{"beam_width": 3, "seed": null, "sigma": 1e-1}"#),
        status: ExplorationStatus::Running.into(),
        current_depth: 0.into(),
        total_nodes: 1.into(),
        total_llm_calls: 0.into(),
        best_success_rate: None,
        started_at: at(seconds).into(),
        completed_at: None,
    }
}

pub(crate) fn node(number: u32, parent: Option<u32>, depth: i64) -> ScenarioNode {
    ScenarioNode {
        id: format!("node_{number:08x}"),
        exploration_id: EXPLORATION.to_owned(),
        parent_id: parent.map(|parent| format!("node_{parent:08x}")),
        depth: depth.into(),
        action_applied: parent.map(|_| "Explicar melhor 😀".to_owned()),
        action_category: None,
        rationale: None,
        short_action: parent.map(|_| String::new()),
        scorecard_params: json(r#"{"complexity": 0.5, "initial_effort": 0.10}"#),
        simulation_results: None,
        execution_time_seconds: None,
        node_status: NodeStatus::Active.into(),
        created_at: at(0).into(),
    }
}

/// Stores a search with its root, node 0, on an experiment and a run with number 1.
async fn started(store: &TestStore) -> Exploration {
    stored_run(store, 1).await;
    let search = exploration(EXPLORATION, 1, 0);
    store
        .lab
        .explorations
        .start(&search, &node(0, None, 0))
        .await
        .unwrap();
    search
}

async fn insert_all(store: &TestStore, nodes: impl IntoIterator<Item = ScenarioNode>) {
    for node in nodes {
        store.lab.explorations.insert_node(&node).await.unwrap();
    }
}

fn ids(nodes: &[ScenarioNode]) -> Vec<u32> {
    nodes
        .iter()
        .map(|node| u32::from_str_radix(node.id.strip_prefix("node_").unwrap(), 16).unwrap())
        .collect()
}

async fn start_stores_both(store: &TestStore) {
    let search = started(store).await;
    let explorations = &store.lab.explorations;
    assert_eq!(explorations.get(EXPLORATION).await.unwrap(), Some(search));
    let root = node(0, None, 0);
    assert_eq!(explorations.get_node(&root.id).await.unwrap(), Some(root));
    let ended = Exploration {
        goal: json("[]"),
        config: json("null"),
        status: ExplorationStatus::NoViablePaths.into(),
        current_depth: i64::MAX.into(),
        best_success_rate: Some(1.0.into()),
        completed_at: Some(at(-3).into()),
        ..exploration("expl_00000002", 1, 1)
    };
    let full = ScenarioNode {
        exploration_id: "expl_00000002".to_owned(),
        action_applied: Some("é".to_owned()),
        action_category: Some("flow".to_owned()),
        rationale: Some("ß".repeat(1000)),
        short_action: Some("x".to_owned()),
        simulation_results: Some(json(r#"{"success_rate": 0.1, "fail_rate": 0.2}"#)),
        execution_time_seconds: Some(0.0.into()),
        node_status: NodeStatus::Winner.into(),
        ..node(9, None, 0)
    };
    explorations.start(&ended, &full).await.unwrap();
    assert_eq!(explorations.get("expl_00000002").await.unwrap(), Some(ended));
    assert_eq!(explorations.get_node(&full.id).await.unwrap(), Some(full));
    assert_eq!(explorations.get("expl_ffffffff").await.unwrap(), None);
    assert_eq!(explorations.get_node("node_ffffffff").await.unwrap(), None);
}

async fn start_stores_both_or_neither(store: &TestStore) {
    let search = started(store).await;
    let explorations = &store.lab.explorations;
    let other = exploration("expl_00000002", 1, 1);
    // The root's id is taken.
    let root = ScenarioNode {
        exploration_id: other.id.clone(),
        ..node(0, None, 0)
    };
    assert_conflict(explorations.start(&other, &root).await, "scenario_nodes.id");
    assert_eq!(explorations.get("expl_00000002").await.unwrap(), None);
    // The search's id is taken.
    assert_conflict(
        explorations.start(&search, &node(1, None, 0)).await,
        "explorations.id",
    );
    assert_eq!(explorations.get_node("node_00000001").await.unwrap(), None);
}

async fn a_search_needs_its_parents(store: &TestStore) {
    stored_run(store, 1).await;
    let explorations = &store.lab.explorations;
    let no_experiment = Exploration {
        experiment_id: "exp_ffffffff".to_owned(),
        ..exploration(EXPLORATION, 1, 0)
    };
    assert_missing(
        explorations.start(&no_experiment, &node(0, None, 0)).await,
        "experiments",
    );
    let no_run = Exploration {
        baseline_analysis_id: "ana_ffffffff".to_owned(),
        ..exploration(EXPLORATION, 1, 0)
    };
    assert_missing(
        explorations.start(&no_run, &node(0, None, 0)).await,
        "analysis_runs",
    );
    assert_eq!(explorations.get(EXPLORATION).await.unwrap(), None);
    assert_eq!(explorations.get_node("node_00000000").await.unwrap(), None);
}

async fn ids_and_numbers_are_checked(store: &TestStore) {
    started(store).await;
    let explorations = &store.lab.explorations;
    for id in [
        "expl_0000000",
        "expl_0000000G",
        "expl_00000002x",
        "",
        "expl_00000002\n",
    ] {
        let bad = exploration(id, 1, 0);
        let refused = explorations.start(&bad, &node(1, None, 0)).await.unwrap_err();
        assert!(
            matches!(refused, StoreError::Invalid { .. }),
            "{id:?}: {refused:?}"
        );
    }
    let bad_node = ScenarioNode {
        id: "node_1".to_owned(),
        ..node(1, Some(0), 1)
    };
    for bad in [bad_node, node(1, Some(0), -1)] {
        let refused = explorations.insert_node(&bad).await.unwrap_err();
        assert!(matches!(refused, StoreError::Invalid { .. }), "{refused:?}");
    }
    let bad = Exploration {
        best_success_rate: Some(1.01.into()),
        ..exploration(EXPLORATION, 1, 0)
    };
    let refused = explorations.update(&bad).await.unwrap_err();
    assert!(matches!(refused, StoreError::Invalid { .. }), "{refused:?}");
    assert_eq!(
        explorations.get(EXPLORATION).await.unwrap(),
        Some(exploration(EXPLORATION, 1, 0))
    );
}

async fn the_list_of_an_experiment_is_newest_first(store: &TestStore) {
    stored_run(store, 1).await;
    stored_run(store, 2).await;
    let explorations = &store.lab.explorations;
    for (n, (id, number, seconds)) in [
        ("expl_0000000c", 1, 5),
        ("expl_0000000a", 1, 5),
        ("expl_0000000b", 1, 7),
        ("expl_0000000d", 2, 9),
    ]
    .into_iter()
    .enumerate()
    {
        let root = ScenarioNode {
            exploration_id: id.to_owned(),
            ..node(u32::try_from(n).unwrap(), None, 0)
        };
        explorations
            .start(&exploration(id, number, seconds), &root)
            .await
            .unwrap();
    }
    let list = explorations.list_by_experiment("exp_00000001").await.unwrap();
    assert_eq!(
        list,
        [
            exploration("expl_0000000b", 1, 7),
            exploration("expl_0000000a", 1, 5),
            exploration("expl_0000000c", 1, 5)
        ]
    );
    assert_eq!(explorations.list_by_experiment("exp_ffffffff").await.unwrap(), []);
}

async fn update_overwrites_all_but_keys_and_start(store: &TestStore) {
    let search = started(store).await;
    stored_run(store, 2).await;
    let explorations = &store.lab.explorations;
    let changed = Exploration {
        goal: json(r#"{"value": 1}"#),
        config: json("{}"),
        status: ExplorationStatus::GoalAchieved.into(),
        current_depth: 2.into(),
        total_nodes: 12.into(),
        total_llm_calls: 3.into(),
        best_success_rate: Some(0.5.into()),
        completed_at: Some(at(9).into()),
        ..exploration(EXPLORATION, 2, 8)
    };
    assert!(explorations.update(&changed).await.unwrap());
    let expected = Exploration {
        experiment_id: search.experiment_id.clone(),
        baseline_analysis_id: search.baseline_analysis_id.clone(),
        started_at: search.started_at.clone(),
        ..changed
    };
    assert_eq!(explorations.get(EXPLORATION).await.unwrap(), Some(expected));
    assert!(explorations.update(&search).await.unwrap());
    assert_eq!(explorations.get(EXPLORATION).await.unwrap(), Some(search.clone()));
    let unknown = exploration("expl_ffffffff", 1, 0);
    assert!(!explorations.update(&unknown).await.unwrap());
}

async fn advance_changes_all_or_nothing(store: &TestStore) {
    let search = started(store).await;
    let explorations = &store.lab.explorations;
    let id = |number: u32| format!("node_{number:08x}");
    let step = ExplorationStep {
        exploration: Exploration {
            current_depth: 1.into(),
            total_nodes: 3.into(),
            best_success_rate: Some(0.25.into()),
            ..search.clone()
        },
        new_nodes: vec![node(1, Some(0), 1), node(2, Some(0), 1)],
        node_statuses: vec![
            (id(0), NodeStatus::Dominated),
            (id(2), NodeStatus::Dominated),
            (id(2), NodeStatus::Winner),
        ],
    };
    let unchanged = explorations.nodes(EXPLORATION).await.unwrap();
    let unknown_search = ExplorationStep {
        exploration: exploration("expl_ffffffff", 1, 0),
        ..step.clone()
    };
    let unknown_node = ExplorationStep {
        node_statuses: vec![(id(0), NodeStatus::Winner), (id(9), NodeStatus::Dominated)],
        ..step.clone()
    };
    let unknown_parent = ExplorationStep {
        new_nodes: vec![node(1, Some(0), 1), node(2, Some(9), 1)],
        ..step.clone()
    };
    let taken = ExplorationStep {
        new_nodes: vec![node(1, Some(0), 1), node(0, Some(1), 2)],
        ..step.clone()
    };
    let twice = ExplorationStep {
        new_nodes: vec![node(1, Some(0), 1), node(1, Some(0), 1)],
        ..step.clone()
    };
    assert_missing(explorations.advance(&unknown_search).await, "explorations");
    assert_missing(explorations.advance(&unknown_node).await, "scenario_nodes");
    assert_missing(explorations.advance(&unknown_parent).await, "scenario_nodes");
    assert_conflict(explorations.advance(&taken).await, "scenario_nodes.id");
    assert_conflict(explorations.advance(&twice).await, "scenario_nodes.id");
    assert_eq!(explorations.get(EXPLORATION).await.unwrap(), Some(search.clone()));
    assert_eq!(explorations.nodes(EXPLORATION).await.unwrap(), unchanged);

    explorations.advance(&step).await.unwrap();
    assert_eq!(
        explorations.get(EXPLORATION).await.unwrap(),
        Some(step.exploration)
    );
    let stand = |node: ScenarioNode, status: NodeStatus| ScenarioNode {
        node_status: status.into(),
        ..node
    };
    assert_eq!(
        explorations.nodes(EXPLORATION).await.unwrap(),
        [
            stand(node(0, None, 0), NodeStatus::Dominated),
            node(1, Some(0), 1),
            stand(node(2, Some(0), 1), NodeStatus::Winner)
        ]
    );
    // A step may change the search alone.
    let last = ExplorationStep {
        exploration: search.clone(),
        new_nodes: Vec::new(),
        node_statuses: Vec::new(),
    };
    explorations.advance(&last).await.unwrap();
    assert_eq!(explorations.get(EXPLORATION).await.unwrap(), Some(search));
}

async fn advance_takes_scenarios_in_any_order(store: &TestStore) {
    let search = started(store).await;
    let explorations = &store.lab.explorations;
    let step = ExplorationStep {
        exploration: search,
        new_nodes: vec![node(3, Some(2), 3), node(1, Some(0), 1), node(2, Some(1), 2)],
        node_statuses: Vec::new(),
    };
    explorations.advance(&step).await.unwrap();
    let path = explorations.path_to("node_00000003").await.unwrap();
    assert_eq!(ids(&path), [0, 1, 2, 3]);
}

async fn steps_at_once_are_all_kept(store: &TestStore) {
    let search = started(store).await;
    let explorations = &store.lab.explorations;
    let search = &search;
    let steps = (1..=20_u32).map(|number| async move {
        let step = ExplorationStep {
            exploration: Exploration {
                total_nodes: i64::from(number).into(),
                ..search.clone()
            },
            new_nodes: vec![node(number, Some(0), 1)],
            node_statuses: vec![("node_00000000".to_owned(), NodeStatus::Dominated)],
        };
        explorations.advance(&step).await
    });
    for outcome in join_all(steps).await {
        outcome.unwrap();
    }
    let nodes = explorations.nodes(EXPLORATION).await.unwrap();
    assert_eq!(ids(&nodes), (0..=20).collect::<Vec<_>>());
}

async fn a_scenario_needs_its_parents(store: &TestStore) {
    started(store).await;
    let explorations = &store.lab.explorations;
    let child = node(1, Some(0), 1);
    explorations.insert_node(&child).await.unwrap();
    assert_eq!(
        explorations.get_node(&child.id).await.unwrap(),
        Some(child.clone())
    );
    assert_conflict(explorations.insert_node(&child).await, "scenario_nodes.id");
    let no_search = ScenarioNode {
        exploration_id: "expl_ffffffff".to_owned(),
        ..node(2, Some(0), 1)
    };
    assert_missing(explorations.insert_node(&no_search).await, "explorations");
    assert_missing(
        explorations.insert_node(&node(2, Some(9), 1)).await,
        "scenario_nodes",
    );
    assert_eq!(explorations.get_node("node_00000002").await.unwrap(), None);
}

async fn update_node_sets_what_it_holds(store: &TestStore) {
    started(store).await;
    let explorations = &store.lab.explorations;
    let mut expected = node(0, None, 0);
    let simulated = NodeChange {
        simulation_results: Some(json(r#"{"success_rate": 0.5}"#)),
        execution_time_seconds: Some(1.5),
        ..NodeChange::default()
    };
    assert!(
        explorations
            .update_node("node_00000000", &simulated)
            .await
            .unwrap()
    );
    expected.simulation_results = simulated.simulation_results.clone();
    expected.execution_time_seconds = Some(1.5.into());
    assert_eq!(
        explorations.get_node("node_00000000").await.unwrap(),
        Some(expected.clone())
    );
    let moved = NodeChange {
        scorecard_params: Some(json("{}")),
        node_status: Some(NodeStatus::ExpansionFailed),
        ..NodeChange::default()
    };
    assert!(explorations.update_node("node_00000000", &moved).await.unwrap());
    expected.scorecard_params = json("{}");
    expected.node_status = NodeStatus::ExpansionFailed.into();
    assert_eq!(
        explorations.get_node("node_00000000").await.unwrap(),
        Some(expected.clone())
    );
    let nothing = NodeChange::default();
    assert!(explorations.update_node("node_00000000", &nothing).await.unwrap());
    assert_eq!(
        explorations.get_node("node_00000000").await.unwrap(),
        Some(expected)
    );
    assert!(!explorations.update_node("node_ffffffff", &moved).await.unwrap());
}

/// A tree of two levels: 5 and 1 under the root, 4, 3 and 2 under 1; 2 is older than all.
async fn tree(store: &TestStore) {
    started(store).await;
    let mut oldest = node(2, Some(1), 2);
    oldest.created_at = at(-1).into();
    insert_all(
        store,
        [
            node(5, Some(0), 1),
            node(1, Some(0), 1),
            node(4, Some(1), 2),
            node(3, Some(1), 2),
            oldest,
        ],
    )
    .await;
}

async fn set_status(store: &TestStore, number: u32, status: NodeStatus) {
    let change = NodeChange {
        node_status: Some(status),
        ..NodeChange::default()
    };
    let id = format!("node_{number:08x}");
    assert!(store.lab.explorations.update_node(&id, &change).await.unwrap());
}

async fn scenarios_from_the_root_on(store: &TestStore) {
    tree(store).await;
    let explorations = &store.lab.explorations;
    let nodes = explorations.nodes(EXPLORATION).await.unwrap();
    assert_eq!(ids(&nodes), [0, 1, 5, 2, 3, 4]);
    assert_eq!(explorations.nodes("expl_ffffffff").await.unwrap(), []);
}

async fn the_frontier_is_deepest_first(store: &TestStore) {
    tree(store).await;
    set_status(store, 0, NodeStatus::Dominated).await;
    set_status(store, 3, NodeStatus::Winner).await;
    let explorations = &store.lab.explorations;
    let frontier = explorations.frontier(EXPLORATION).await.unwrap();
    assert_eq!(ids(&frontier), [2, 4, 1, 5]);
    assert_eq!(explorations.frontier("expl_ffffffff").await.unwrap(), []);
}

async fn roots_and_winners(store: &TestStore) {
    tree(store).await;
    let explorations = &store.lab.explorations;
    let root = explorations.root(EXPLORATION).await.unwrap();
    assert_eq!(root, Some(node(0, None, 0)));
    assert_eq!(explorations.winner(EXPLORATION).await.unwrap(), None);
    for number in [4, 3, 5] {
        set_status(store, number, NodeStatus::Winner).await;
    }
    let winner = explorations.winner(EXPLORATION).await.unwrap();
    assert_eq!(winner.unwrap().id, "node_00000005");
    set_status(store, 5, NodeStatus::Dominated).await;
    let winner = explorations.winner(EXPLORATION).await.unwrap();
    assert_eq!(winner.unwrap().id, "node_00000003");
    // Nothing enforces that there is one root.
    let mut older = node(9, None, 0);
    older.created_at = at(-9).into();
    insert_all(store, [older]).await;
    let root = explorations.root(EXPLORATION).await.unwrap();
    assert_eq!(root.unwrap().id, "node_00000009");
    assert_eq!(explorations.root("expl_ffffffff").await.unwrap(), None);
    assert_eq!(explorations.winner("expl_ffffffff").await.unwrap(), None);
}

async fn paths_and_children(store: &TestStore) {
    tree(store).await;
    let explorations = &store.lab.explorations;
    for (number, path) in [(0, vec![0]), (5, vec![0, 5]), (3, vec![0, 1, 3])] {
        let found = explorations.path_to(&format!("node_{number:08x}")).await.unwrap();
        assert_eq!(ids(&found), path);
    }
    assert_eq!(explorations.path_to("node_ffffffff").await.unwrap(), []);
    let children = explorations.children("node_00000001").await.unwrap();
    assert_eq!(ids(&children), [2, 3, 4]);
    assert_eq!(explorations.children("node_00000005").await.unwrap(), []);
}

async fn standings_are_counted(store: &TestStore) {
    tree(store).await;
    let explorations = &store.lab.explorations;
    for (number, status) in [
        (1, NodeStatus::Dominated),
        (2, NodeStatus::Dominated),
        (3, NodeStatus::Winner),
    ] {
        set_status(store, number, status).await;
    }
    assert_eq!(
        explorations.node_counts(EXPLORATION).await.unwrap(),
        NodeCounts {
            active: 3,
            dominated: 2,
            winner: 1,
            expansion_failed: 0
        }
    );
    assert_eq!(
        explorations.node_counts("expl_ffffffff").await.unwrap(),
        NodeCounts::default()
    );
}

async fn the_best_scenario(store: &TestStore) {
    tree(store).await;
    let explorations = &store.lab.explorations;
    assert_eq!(explorations.best_node(EXPLORATION).await.unwrap(), None);
    for (number, results, best) in [
        // What has no number for a rate does not count.
        (0, r#"{"fail_rate": 1}"#, None),
        (5, r#"{"success_rate": "0.9"}"#, None),
        (1, "[0.9]", None),
        (1, "null", None),
        (2, r#"{"success_rate": 0}"#, Some(2)),
        (3, r#"{"success_rate": 0.10}"#, Some(3)),
        (4, r#"{"success_rate": 1e-1}"#, Some(3)),
        (5, r#"{"success_rate": 0.1}"#, Some(5)),
        (1, r#"{"success_rate": 0.1}"#, Some(1)),
        (4, r#"{"success_rate": 1}"#, Some(4)),
        (2, r#"{"success_rate": 0.999}"#, Some(4)),
    ] {
        let change = NodeChange {
            simulation_results: Some(json(results)),
            ..NodeChange::default()
        };
        explorations
            .update_node(&format!("node_{number:08x}"), &change)
            .await
            .unwrap();
        let found = explorations.best_node(EXPLORATION).await.unwrap();
        assert_eq!(
            ids(found.as_slice()),
            best.into_iter().collect::<Vec<_>>(),
            "{results}"
        );
    }
}

async fn a_run_that_a_search_starts_from_stays(store: &TestStore) {
    let search = started(store).await;
    assert_conflict(
        store.lab.analysis_runs.delete(&search.baseline_analysis_id).await,
        "explorations.baseline_analysis_id",
    );
    assert!(
        store
            .lab
            .analysis_runs
            .get(&search.baseline_analysis_id)
            .await
            .unwrap()
            .is_some()
    );
}

#[cfg(feature = "sqlite")]
mod old_files {
    use cutover_domain::stored::{Stored, StoredValue};

    use super::*;

    /// Keys of NULL, values outside the checks, documents that are none, parents in a circle.
    #[tokio::test]
    async fn rows_that_break_rules_are_read() {
        let store = TestStore::sqlite().await;
        started(&store).await;
        let raw = store.file().unwrap().raw();
        raw.execute_batch(
            "PRAGMA ignore_check_constraints = ON; PRAGMA foreign_keys = OFF;
            UPDATE explorations SET status = 'lost', current_depth = 'deep', best_success_rate = 7, goal = '';
            INSERT INTO scenario_nodes (id, exploration_id, parent_id, depth, scorecard_params, simulation_results,
                node_status, created_at) VALUES
                (NULL, 'expl_00000001', NULL, 1, '{}', '{bad', 'active', '2026-01-01 12:00:00'),
                ('a', 'expl_00000001', 'b', 'x', '{}', '{\"success_rate\": 0.5}', 'gone', 'never'),
                ('b', 'expl_00000001', 'a', 2, '{}', NULL, 'active', '2026-01-01T12:00:00Z');",
        )
        .unwrap();
        let explorations = &store.lab.explorations;
        let found = explorations.get(EXPLORATION).await.unwrap().unwrap();
        let text = |text: &str| StoredValue::Text(text.to_owned());
        assert_eq!(found.status, Stored::Other(text("lost")));
        assert_eq!(found.current_depth, Stored::Other(text("deep")));
        assert_eq!(found.best_success_rate, Some(7.0.into()));
        assert_eq!(found.goal.as_str(), "");
        let nodes = explorations.nodes(EXPLORATION).await.unwrap();
        let seen: Vec<&str> = nodes.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(seen, ["node_00000000", "", "b", "a"]);
        assert_eq!(
            explorations.best_node(EXPLORATION).await.unwrap().unwrap().id,
            "a"
        );
        let path = explorations.path_to("a").await.unwrap();
        let seen: Vec<&str> = path.iter().map(|node| node.id.as_str()).collect();
        assert_eq!(seen, ["b", "a"]);
        assert_eq!(
            explorations.node_counts(EXPLORATION).await.unwrap(),
            NodeCounts {
                active: 3,
                ..NodeCounts::default()
            }
        );
    }
}
