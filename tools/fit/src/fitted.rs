/// `target = intercept + sum of coefficients[i] * feature i`.
#[derive(Debug)]
pub(crate) struct Fitted {
    pub(crate) intercept: f64,
    pub(crate) coefficients: Vec<f64>,
}
