use artifact::Model;
use pointer::Verdict;

/// Whether a model may serve at all. It must have been measured on rows that it never saw, and beat always predicting
/// the mean there.
pub(crate) fn judge(model: &Model) -> Vec<Verdict> {
    let metrics = &model.body().metrics;
    let (Some(own), Some(mean)) = (&metrics.held_out, &metrics.baseline.held_out) else {
        return vec![Verdict { rule: "it was measured on held-out rows".to_owned(), passed: false }];
    };
    vec![Verdict {
        rule: format!("held-out RMSE {:.6} is below the baseline's {:.6}", own.rmse, mean.rmse),
        passed: own.rmse < mean.rmse,
    }]
}

/// The rules that failed, in words.
pub(crate) fn failed(verdicts: &[Verdict]) -> Option<String> {
    let rules: Vec<&str> =
        verdicts.iter().filter(|verdict| !verdict.passed).map(|verdict| verdict.rule.as_str()).collect();
    (!rules.is_empty()).then(|| format!("these rules do not hold: {}", rules.join("; ")))
}

/// Whether `model` was trained on older data than the approved one: then the approved one stays.
pub(crate) fn is_superseded(model: &Model, approved: &Model) -> bool {
    let same_problem = model.body().recipe.name == approved.body().recipe.name;
    match (&model.body().data.newest, &approved.body().data.newest) {
        (Some(own), Some(theirs)) => same_problem && own < theirs,
        _ => false,
    }
}
