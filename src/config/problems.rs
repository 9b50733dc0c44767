//! What is wrong with settings: all of it at once, each with its key.

/// One thing that the operator has to put right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The key, as a path from the top of the file.
    pub key: String,
    /// What to do; never a value, which may be a secret.
    pub hint: String,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Problems(Vec<Problem>);

impl Problems {
    /// Notes a problem.
    pub fn add(&mut self, key: impl Into<String>, hint: impl Into<String>) {
        self.0.push(Problem { key: key.into(), hint: hint.into() });
    }

    /// All of them, in the order in which they were found.
    pub fn iter(&self) -> impl Iterator<Item = &Problem> {
        self.0.iter()
    }
}
