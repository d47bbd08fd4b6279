//! What the original offers and this service does not: it stores, and neither computes nor asks language models. Each of
//! these answers 501 and says why.

use axum::routing::{MethodFilter, on};
use utoipa::openapi::path::{HttpMethod, OperationBuilder, ParameterBuilder, ParameterIn};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Ref, Required, ResponseBuilder, Type};
use utoipa_axum::router::OpenApiRouter;

use crate::http::App;
use crate::http::error::HttpError;

const TAG: &str = "Lab: not done by this service";

const MODEL: &str =
    "This needs a language model, which this service does not ask; it stores what one has said";
const COMPUTED: &str = "This is computed by the application; this service stores the results";
const FILE: &str = "This is a file of the application, not of its database";

/// Path beneath `/lab`, its methods, and why it is not done.
const OPERATIONS: &[(&str, &[HttpMethod], &str)] = &[
    ("/experiments/estimate-scorecard", POST, MODEL),
    ("/experiments/{id}/estimate-scorecard", POST, MODEL),
    ("/experiments/{id}/interviews", POST, MODEL),
    ("/experiments/{id}/interviews/auto", POST, MODEL),
    ("/experiments/{id}/analysis/insights/{chart_type}", POST, MODEL),
    ("/research/execute", POST, MODEL),
    ("/research/{exec_id}/summary/generate", POST, MODEL),
    ("/prfaq/generate", POST, MODEL),
    ("/synths/{id}/chat", POST, MODEL),
    ("/synths/{id}/chat/stream", POST, MODEL),
    ("/explorations/{id}/run", POST, MODEL),
    ("/simulation/scorecards/{id}/generate-insights", POST, MODEL),
    ("/experiments/{id}/analysis", POST, COMPUTED),
    ("/experiments/{id}/analysis/clusters", POST, COMPUTED),
    ("/experiments/{id}/analysis/charts/sankey-flow", GET, COMPUTED),
    ("/experiments/{id}/analysis/clusters/auto", POST, COMPUTED),
    ("/experiments/{id}/analysis/clusters/cut", POST, COMPUTED),
    ("/experiments/{id}/analysis/clusters/elbow", GET, COMPUTED),
    ("/experiments/{id}/analysis/clusters/dendrogram", GET, COMPUTED),
    ("/experiments/{id}/analysis/clusters/radar", GET, COMPUTED),
    ("/experiments/{id}/analysis/clusters/pca-scatter", GET, COMPUTED),
    ("/experiments/{id}/analysis/extreme-cases", GET, COMPUTED),
    ("/experiments/{id}/analysis/outliers", GET, COMPUTED),
    ("/experiments/{id}/analysis/shap/summary", GET, COMPUTED),
    ("/experiments/{id}/analysis/shap/{synth_id}", GET, COMPUTED),
    ("/experiments/{id}/analysis/pdp", GET, COMPUTED),
    ("/experiments/{id}/analysis/pdp/comparison", GET, COMPUTED),
    ("/simulation/simulations", POST, COMPUTED),
    ("/simulation/simulations/{id}/regions", GET_POST, COMPUTED),
    ("/simulation/simulations/{id}/sensitivity", GET_POST, COMPUTED),
    (
        "/simulation/simulations/{id}/charts/try-vs-success",
        GET,
        COMPUTED,
    ),
    ("/simulation/simulations/{id}/charts/distribution", GET, COMPUTED),
    (
        "/simulation/simulations/{id}/charts/failure-heatmap",
        GET,
        COMPUTED,
    ),
    ("/simulation/simulations/{id}/charts/scatter", GET, COMPUTED),
    ("/simulation/simulations/{id}/clusters", GET_POST, COMPUTED),
    ("/simulation/simulations/{id}/clusters/cut", POST, COMPUTED),
    ("/simulation/simulations/{id}/clusters/elbow", GET, COMPUTED),
    ("/simulation/simulations/{id}/clusters/dendrogram", GET, COMPUTED),
    (
        "/simulation/simulations/{id}/clusters/radar-comparison",
        GET,
        COMPUTED,
    ),
    (
        "/simulation/simulations/{id}/clusters/{cluster_id}/radar",
        GET,
        COMPUTED,
    ),
    ("/simulation/simulations/{id}/extreme-cases", GET, COMPUTED),
    ("/simulation/simulations/{id}/outliers", GET, COMPUTED),
    ("/simulation/simulations/{id}/shap/summary", GET, COMPUTED),
    ("/simulation/simulations/{id}/shap/{synth_id}", GET, COMPUTED),
    ("/simulation/simulations/{id}/pdp", GET, COMPUTED),
    ("/simulation/simulations/{id}/pdp/comparison", GET, COMPUTED),
    ("/explorations/catalog/actions", GET, FILE),
    ("/simulation/scenarios", GET, FILE),
    ("/simulation/scenarios/{id}", GET, FILE),
];

const GET: &[HttpMethod] = &[HttpMethod::Get];
const POST: &[HttpMethod] = &[HttpMethod::Post];
const GET_POST: &[HttpMethod] = &[HttpMethod::Get, HttpMethod::Post];

pub(super) fn router() -> OpenApiRouter<App> {
    let mut router = OpenApiRouter::new();
    for (path, methods, reason) in OPERATIONS {
        for method in *methods {
            let filter = match method {
                HttpMethod::Post => MethodFilter::POST,
                _ => MethodFilter::GET,
            };
            router = router.route(path, on(filter, async || HttpError::not_implemented(reason)));
        }
        let paths = &mut router.get_openapi_mut().paths;
        paths.add_path_operation(*path, methods.to_vec(), operation(path, reason).build());
    }
    router
}

/// There is no handler whose attribute could say this.
fn operation(path: &str, reason: &str) -> OperationBuilder {
    let failure = ContentBuilder::new().schema(Some(Ref::from_schema_name("Failure")));
    let answer = ResponseBuilder::new().content("application/json", failure.build());
    let operation = OperationBuilder::new()
        .tag(TAG)
        .summary(Some(format!("{reason}.")))
        .response("501", answer.build());
    let names = path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.fold(operation, |operation, name| {
        let parameter = ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
        operation.parameter(parameter)
    })
}
