//! How much of the many combinations a run of the tests tries: few (`make test`) or all (`make test-all`).

use wgloss::{Gpu, parity::Effort};

use super::adapters;

/// Full where the environment variable `WGLOSS_TESTS` is `all`.
pub fn effort() -> Effort {
    match std::env::var("WGLOSS_TESTS") {
        Err(_) => Effort::Quick,
        Ok(all) if all == "all" => Effort::Full,
        Ok(other) => panic!("WGLOSS_TESTS is {other:?}, which is neither unset nor `all`"),
    }
}

pub fn is_full() -> bool {
    effort() == Effort::Full
}

/// Those of `all` for the combination of that number: each, or, where there are more combinations than time, one: they
/// take turns.
pub fn taking_turns<T>(all: &[T], turn: usize) -> impl Iterator<Item = &T> {
    let is_full = is_full();
    all.iter().enumerate().filter(move |(index, _)| is_full || *index == turn % all.len()).map(|(_, one)| one)
}

/// The adapter for the combination of that number in every run, where the combinations beside it are so many that each
/// adapter has its own.
pub fn adapter(turn: usize) -> impl Iterator<Item = &'static Gpu> {
    let all = adapters::all();
    all.iter().skip(turn % all.len()).take(1)
}

/// The adapters for the combination of that number.
pub fn adapters(turn: usize) -> impl Iterator<Item = &'static Gpu> {
    taking_turns(adapters::all(), turn)
}
