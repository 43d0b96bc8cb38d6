use serde::Deserialize;

/// `[privacy]`: what of a request may be kept, and which columns say something about a person.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Privacy {
    /// The columns of a request that may be kept with the prediction. Without it nothing is said; an empty list keeps none.
    #[serde(default)]
    pub store: Option<Vec<String>>,
    /// Columns that are private: they are never kept.
    #[serde(default)]
    pub private: Vec<String>,
}
