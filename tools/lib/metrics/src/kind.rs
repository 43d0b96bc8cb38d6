/// What is predicted of a row.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Kind {
    /// A number.
    #[default]
    Number,
    /// The mean of a count.
    Count,
    /// The probability of each of so many classes.
    Classes(usize),
}

impl Kind {
    /// How many classes there are; 0 of numbers and counts.
    pub fn classes(self) -> usize {
        match self {
            Kind::Number | Kind::Count => 0,
            Kind::Classes(classes) => classes,
        }
    }

    /// How many numbers are said of a row.
    pub fn width(self) -> usize {
        self.classes().max(1)
    }

    /// What the error that models are compared by is called.
    pub fn measure(self) -> &'static str {
        match self {
            Kind::Number => "RMSE",
            Kind::Count => "deviance",
            Kind::Classes(_) => "log loss",
        }
    }

    /// That error of one row, squared where the measure is a root: of the number that is said, or of the probabilities.
    pub fn loss(self, answer: f64, said: &[f64]) -> f64 {
        match self {
            Kind::Number => (answer - said[0]) * (answer - said[0]),
            Kind::Count => crate::deviance(answer, said[0]),
            Kind::Classes(_) => {
                let right = if answer >= 0.0 { said[answer as usize] } else { 0.0 };
                -right.max(crate::LEAST_PROBABILITY).ln()
            }
        }
    }
}
