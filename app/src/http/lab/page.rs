//! Pages of lists.

use cutover_domain::lab::synth::SortDirection;
use cutover_domain::stored::TextEnum as _;
use cutover_ports::{Page, PageRequest};
use serde::Serialize;
use utoipa::ToSchema;

use crate::http::request::{Mistakes, Parameters, text_of_pattern};

/// Which page of a list.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// How many items at most.
    #[param(required = false, minimum = 1, maximum = 200, default = 50)]
    limit: u32,
    /// How many items come before the page.
    #[param(required = false, minimum = 0, default = 0)]
    offset: u64,
}

impl PageQuery {
    /// As the lists of the original have it.
    pub(super) fn read(parameters: &Parameters, mistakes: &mut Mistakes) -> PageRequest {
        let query = Self {
            limit: limit(parameters, 200, 50, mistakes),
            offset: offset(parameters, mistakes),
        };
        PageRequest {
            limit: query.limit,
            offset: query.offset,
        }
    }
}

/// The parameter `limit`. Outside of its range the request is refused anyway.
pub(super) fn limit(parameters: &Parameters, max: u32, default: u32, mistakes: &mut Mistakes) -> u32 {
    let limit = parameters.integer("limit", 1..=i64::from(max), default.into(), mistakes);
    u32::try_from(limit).unwrap_or(0)
}

/// The parameter `offset`.
pub(super) fn offset(parameters: &Parameters, mistakes: &mut Mistakes) -> u64 {
    u64::try_from(parameters.integer("offset", 0..=i64::MAX, 0, mistakes)).unwrap_or(0)
}

/// In which order a list is.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct SortQuery {
    /// The column it is ordered by; another text is passed over, and the newest come first.
    #[param(required = false, example = "created_at")]
    pub(super) sort_by: Option<String>,
    /// From which end.
    #[param(required = false, pattern = "^(asc|desc)$", default = "desc")]
    sort_order: String,
}

impl SortQuery {
    /// The order asked for.
    pub(super) fn read(parameters: &Parameters, mistakes: &mut Mistakes) -> Self {
        let text = |name: &str| parameters.text(name).map(str::to_owned);
        let sort_order = parameters.text("sort_order").and_then(|order| {
            let (at, pattern) = (["query".into(), "sort_order".into()], "^(asc|desc)$");
            let fits = |order: &str| SortDirection::from_text(order).is_some();
            text_of_pattern(&order.into(), &at, pattern, fits, mistakes)
        });
        Self {
            sort_by: text("sort_by"),
            sort_order: sort_order.unwrap_or_else(|| "desc".to_owned()),
        }
    }

    /// The end asked for.
    pub(super) fn direction(&self) -> SortDirection {
        SortDirection::from_text(&self.sort_order).unwrap_or(SortDirection::Descending)
    }
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PageOf<T> {
    /// Its items.
    data: Vec<T>,
    /// Where it stands.
    pagination: Pagination,
}

/// Where a page stands in its list.
#[derive(Debug, Serialize, ToSchema)]
struct Pagination {
    /// The items of all pages.
    total: u64,
    /// How many items the page may have.
    limit: u32,
    /// How many items come before it.
    offset: u64,
    /// Whether items come after it.
    has_next: bool,
}

impl<T> PageOf<T> {
    /// The page that `request` asked for, of `total` items on all pages.
    pub(super) fn of(request: PageRequest, total: u64, items: impl Iterator<Item = T>) -> Self {
        Self {
            pagination: Pagination {
                total,
                limit: request.limit,
                offset: request.offset,
                has_next: request.has_next(total),
            },
            data: items.collect(),
        }
    }

    /// The same for all that a repository has given.
    pub(super) fn from_page<R>(request: PageRequest, page: Page<R>) -> Self
    where
        T: From<R>,
    {
        Self::of(request, page.total, page.items.into_iter().map(T::from))
    }
}
