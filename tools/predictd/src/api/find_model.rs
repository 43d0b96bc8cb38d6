//! The model that a path names.

use std::sync::Arc;

use crate::api::response::{Response, problem};
use crate::models::model::LoadedModel;
use crate::models::snapshot::{Served, Snapshot};

/// The model of that name, if it was loaded.
pub(crate) fn find_model<'s>(
    snapshot: &'s Snapshot,
    name: Option<&str>,
) -> Result<&'s Arc<LoadedModel>, Response> {
    let served = find_served(snapshot, name)?;
    served.loaded.as_ref().ok_or_else(|| no_model(served))
}

fn find_served<'s>(snapshot: &'s Snapshot, wanted: Option<&str>) -> Result<&'s Served, Response> {
    let names = || snapshot.names().collect::<Vec<_>>().join(", ");
    match (wanted, snapshot.routes.as_slice()) {
        (None, [route]) => Ok(&route.served),
        (None, _) => {
            Err(problem(404, &format!("say which model in the path, as in /predict/NAME: {}", names())))
        }
        (Some(wanted), routes) => {
            let found = routes.iter().find(|route| route.name.as_deref() == Some(wanted));
            found.map(|route| &route.served).ok_or_else(|| {
                let there = match snapshot.names().next() {
                    Some(_) => format!("there is {}", names()),
                    None => "the one model has no name: leave it out of the path".to_owned(),
                };
                problem(404, &format!("there is no model of that name; {there}"))
            })
        }
    }
}

/// 503 with the reason.
pub(crate) fn no_model(served: &Served) -> Response {
    let reason = served.stale_reason.as_deref().unwrap_or("none was loaded");
    problem(503, &format!("there is no model to serve yet: {reason}")).with("retry-after", "10")
}
